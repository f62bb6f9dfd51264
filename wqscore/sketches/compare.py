"""Compare models by their sketches, all pairs: models of one architecture together, a product for each matrix."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isqrt, sqrt

import numpy as np

from wqscore.sketches.alignment import LEAST, Alignment, by_contents, by_direction, by_name, moved_pairs
from wqscore.sketches.count_sketch import BUCKETS
from wqscore.sketches.medians import medians
from wqscore.sketches.portrait import Portrait, count_of_logs

#: Standard error of a median over that of a mean, of normal numbers.
_OF_MEDIAN = sqrt(np.pi / 2)
#: Models of a class whose cosines with as many others are held at a time, and the most cosines.
_BLOCK, _HELD = 256, 1 << 24
#: Above this median, matrices are not looked for under other names.
_SURE = 0.9
#: Matrices are looked for under other names among at most this many models: it takes far longer than all else.
MOST_SEARCHED = 500


@dataclass(frozen=True, eq=False)
class Comparison:
    """All pairs of n models; arrays have shape (n, n), of which the upper half holds, models of a class together.

    `whole` puts an array in the order of the models.

    Attributes:
        places: where each model is in the arrays.
        cosine: the median cosine of matched matrices; NaN without any.
        cosine_se: its standard error: of the matrices' spread, and of what sketches leave open.
        n_matrices: how many were matched.
        n_exact: how many of them are equal.
        n_moved: how many were found by their contents, under another name.
        n_shapes: how many matrices are of shapes that both have.
        distance: the median over matched matrices of the root mean square difference of log₁₀ of the upper half of
            the eigenvalues over their sum; NaN without any.
        directions: the median over matrices of the mean |cosine| of the leading directions' fingerprints; NaN where
            they are not known. For models without a shape in common, over matrices of one length on one side.
        n_directions: over how many matrices.
    """

    places: np.ndarray
    cosine: np.ndarray
    cosine_se: np.ndarray
    n_matrices: np.ndarray
    n_exact: np.ndarray
    n_moved: np.ndarray
    n_shapes: np.ndarray
    distance: np.ndarray
    directions: np.ndarray
    n_directions: np.ndarray

    def whole(self, array: np.ndarray) -> np.ndarray:
        """One of the arrays in the order of the models, symmetric."""
        upper = np.triu(array)
        both = np.where(np.tri(len(array), dtype=bool), upper.T, upper)
        found: np.ndarray = both[np.ix_(self.places, self.places)]
        return found


@dataclass(frozen=True, eq=False)
class _Class:
    """Models with the same matrices by name and shape: the place of the first, and their arrays together."""

    start: int
    models: tuple[Portrait, ...]
    units: np.ndarray
    digests: np.ndarray
    logs: np.ndarray
    directions: np.ndarray

    @property
    def rows(self) -> slice:
        """The places of all its models."""
        return slice(self.start, self.start + len(self.models))


def compare(models: Sequence[Portrait], spectra: bool = True) -> Comparison:
    """Compare all pairs of models.

    Args:
        models: the models.
        spectra: compare spectra and directions too; sketches alone take a tenth of the time.
    """
    classes = _classes(models, spectra)
    size = len(models)
    places = np.empty(size, np.intp)
    places[[member for members in _members(models) for member in members]] = np.arange(size)
    # Zeros are no memory until they are written; at 10,000 models an array has 400 MB.
    wide = (size, size) if spectra else (0, 0)
    made = Comparison(
        places=places,
        cosine=np.zeros((size, size), np.float32),
        cosine_se=np.zeros((size, size), np.float32),
        n_matrices=np.zeros((size, size), np.int32),
        n_exact=np.zeros((size, size), np.int32),
        n_moved=np.zeros((size, size), np.int32),
        n_shapes=np.zeros((size, size), np.int32),
        distance=np.zeros(wide),
        directions=np.zeros(wide),
        n_directions=np.zeros(wide, np.int32),
    )
    for place, one in enumerate(classes):
        for other in classes[place:]:
            _compare_classes(one, other, made, spectra)
    return made


def _members(models: Sequence[Portrait]) -> list[list[int]]:
    """The models with the same matrices by name, shape, role and layer."""
    groups: dict[object, list[int]] = defaultdict(list)
    for place, model in enumerate(models):
        groups[model.keys, model.roles, model.depths].append(place)
    return list(groups.values())


def _classes(models: Sequence[Portrait], spectra: bool) -> list[_Class]:
    numbers: dict[str, int] = {}
    classes: list[_Class] = []
    start = 0
    for places in _members(models):
        classes.append(_class(start, [models[place] for place in places], numbers, spectra))
        start += len(places)
    return classes


def _class(start: int, models: Sequence[Portrait], numbers: dict[str, int], spectra: bool) -> _Class:
    digests = [[numbers.setdefault(digest, len(numbers)) for digest in model.digests] for model in models]
    lengths = _lengths(models[0])
    return _Class(
        start=start,
        models=tuple(models),
        units=np.stack([model.units for model in models], axis=1),
        digests=np.array(digests, np.int32).reshape(len(models), -1),
        logs=np.stack([_joined(model.logs, lengths) if spectra else np.empty(0) for model in models]),
        directions=np.stack([model.directions if spectra else np.empty(0) for model in models]),
    )


def _lengths(model: Portrait) -> list[int]:
    """How many eigenvalues' logarithms each matrix has, if it has any; the same for all models of a class."""
    return [count_of_logs(*key[1:]) for key in model.keys]


def _joined(logs: Sequence[np.ndarray], lengths: Sequence[int]) -> np.ndarray:
    parts = [each if each.size else np.full(length, np.nan) for each, length in zip(logs, lengths, strict=True)]
    return np.concatenate([np.empty(0), *parts])


def _compare_classes(one: _Class, other: _Class, made: Comparison, spectra: bool) -> None:
    shapes, theirs = one.models[0].shapes, other.models[0].shapes
    shared = sum(min(count, theirs[shape]) for shape, count in shapes.items())
    pairs = one.rows, other.rows
    made.n_shapes[pairs] = shared
    for array in (made.cosine, made.cosine_se, *((made.distance, made.directions) if spectra else ())):
        array[pairs] = np.nan
    aligned = by_name(one.models[0], other.models[0])
    if aligned.left.size:
        _compare_named(one, other, aligned, made)
        if spectra:
            _compare_spectra(one, other, aligned, made)
    elif not shared and spectra:
        _compare_directions(one, other, made)
    if shared >= LEAST and len(made.places) <= MOST_SEARCHED:
        _find_moved(one, other, aligned, made, spectra)


def _compare_named(one: _Class, other: _Class, aligned: Alignment, made: Comparison) -> None:
    """Set cosines and counts of all pairs of two classes, in blocks."""
    turned = np.ascontiguousarray(other.units[aligned.right].transpose(0, 2, 1))
    width = max(1, min(_BLOCK, isqrt(_HELD // aligned.left.size)))
    for rows in _blocks(len(one.models), width):
        left = one.units[aligned.left, rows]
        for columns in _blocks(len(other.models), width):
            if one is other and columns.stop <= rows.start:
                continue
            cosines = left @ turned[:, :, columns]
            found, spread, counts = (each.reshape(cosines.shape[1:]) for each in medians(_flat(cosines)))
            equal = one.digests[rows, None, aligned.left] == other.digests[None, columns, aligned.right]
            pairs = _moved(rows, one.start), _moved(columns, other.start)
            made.cosine[pairs] = found
            made.cosine_se[pairs] = _errors(found, spread, counts)
            made.n_matrices[pairs] = aligned.left.size
            made.n_exact[pairs] = equal.sum(axis=2)


def _compare_spectra(one: _Class, other: _Class, aligned: Alignment, made: Comparison) -> None:
    """Set the distances of spectra and the agreement of directions, a model against a class at a time."""
    ours, bounds = _columns(one.models[0], aligned.left)
    theirs, _ = _columns(other.models[0], aligned.right)
    lengths = np.diff([*bounds, ours.size])
    logs, directions = other.logs[:, theirs], other.directions[:, aligned.right]
    for row in range(len(one.models)):
        first = row if one is other else 0
        pairs = one.start + row, slice(other.start + first, other.rows.stop)
        squares = logs[first:] - one.logs[row, ours]
        np.square(squares, out=squares)
        made.distance[pairs] = _median(np.sqrt(np.add.reduceat(squares, bounds, axis=1) / lengths))
        agreement = np.abs(np.einsum("mkdij,kdij->mkdi", directions[first:], one.directions[row, aligned.left]))
        _set_directions(made, pairs, agreement.reshape(*agreement.shape[:2], -1))


def _compare_directions(one: _Class, other: _Class, made: Comparison) -> None:
    """Set the agreement of directions of models that have no shape in common."""
    found = by_direction(one.models[0], other.models[0])
    if not found:
        return
    left, right, sides = np.array(found).T
    directions = other.directions[:, right, sides]
    for row in range(len(one.models)):
        agreement = np.abs((directions * one.directions[row, left, sides]).sum(axis=-1))
        _set_directions(made, (one.start + row, other.rows), agreement)


def _set_directions(made: Comparison, pairs: tuple[int, slice], agreement: np.ndarray) -> None:
    of_each = _mean(agreement)
    made.directions[pairs] = _median(of_each)
    made.n_directions[pairs] = np.isfinite(of_each).sum(axis=1)


def _find_moved(one: _Class, other: _Class, named: Alignment, made: Comparison, spectra: bool) -> None:
    """Match the matrices of models by their contents where their names don't match like with like."""
    for row, column in sorted(moved_pairs(one.models, other.models, named)):
        pair = one.start + row, other.start + column
        if pair[0] >= pair[1] or made.cosine[pair] > _SURE:
            continue
        left, right = _alone(one, row), _alone(other, column)
        aligned = by_contents(left.models[0], right.models[0], named)
        _compare_named(left, right, aligned, made)
        made.n_moved[pair] = aligned.moved
        if spectra:
            _compare_spectra(left, right, aligned, made)


def _alone(found: _Class, row: int) -> _Class:
    """One model of a class as a class."""
    only = slice(row, row + 1)
    arrays = found.digests[only], found.logs[only], found.directions[only]
    return _Class(found.start + row, found.models[only], found.units[:, only], *arrays)


def _columns(model: Portrait, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The columns of some matrices' logarithms, and where those of each begin among them."""
    lengths = _lengths(model)
    ends = np.cumsum(lengths)
    parts = [np.arange(ends[place] - lengths[place], ends[place]) for place in places]
    return np.concatenate(parts), np.cumsum([0, *map(len, parts[:-1])])


def _errors(found: np.ndarray, spread: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Standard errors of medians: by the matrices' spread, at least what 128 buckets leave open."""
    of_sketch = (1 - np.minimum(np.square(found), 1)) / sqrt(BUCKETS)
    with np.errstate(divide="ignore", invalid="ignore"):
        errors: np.ndarray = _OF_MEDIAN * np.maximum(spread, of_sketch) / np.sqrt(counts)
    return np.where(counts > 0, errors, np.nan)


def _median(values: np.ndarray) -> np.ndarray:
    """The median over the last axis, NaN left out; NaN where there is nothing else."""
    if not np.isnan(values).any():
        found: np.ndarray = np.median(values, axis=-1)
        return found
    return np.array([np.median(row[np.isfinite(row)]) if np.isfinite(row).any() else np.nan for row in values])


def _mean(values: np.ndarray) -> np.ndarray:
    """The mean over the last axis, NaN left out; NaN where there is nothing else."""
    known = np.isfinite(values)
    count = known.sum(axis=-1)
    means: np.ndarray = np.where(known, values, 0).sum(axis=-1) / np.maximum(count, 1)
    return np.where(count > 0, means, np.nan)


def _blocks(count: int, width: int) -> Iterator[slice]:
    return (slice(start, min(start + width, count)) for start in range(0, count, width))


def _moved(block: slice, by: int) -> slice:
    return slice(block.start + by, block.stop + by)


def _flat(values: np.ndarray) -> np.ndarray:
    return values.reshape(len(values), -1)

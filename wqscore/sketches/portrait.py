"""What a model is compared by: the sketches, spectra and digests of its matrices, as arrays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import nan

import numpy as np

from wqscore.cached_property import cached_property
from wqscore.matrices.matching import canonical_name
from wqscore.matrices.weight_matrix import WeightMatrix
from wqscore.sketches.directions import COUNT, SIGNS
from wqscore.sketches.sketch import Sketch
from wqscore.spectra.spectrum import Spectrum

#: Name, slices, rows and columns.
Key = tuple[str, int, int, int]
#: Smaller eigenvalues, relative to their sum, count as this large.
_LEAST = 1e-16
#: So many eigenvalues of a matrix are compared at most.
_MOST = 512
#: Types of weights that are stored as plain numbers.
_PLAIN = frozenset({"F64", "F32", "F16", "BF16"})


@dataclass(frozen=True)
class SketchedMatrix:
    """A matrix, and what it is compared by.

    Attributes:
        matrix: the matrix.
        spectrum: its eigenvalues.
        digest: of its tensor's values.
        sketch: what its weights are compared by.
        directions: fingerprints of its leading directions; `None` where they were not computed.
    """

    matrix: WeightMatrix
    spectrum: Spectrum
    digest: bytes
    sketch: Sketch
    directions: np.ndarray | None


@dataclass(frozen=True, eq=False)
class Portrait:
    """What a model is compared by; every array has a row for each matrix, in the order of the keys.

    Attributes:
        keys: what matrices are matched by first: the name without prefixes, and the shape; ascending.
        roles: of each.
        depths: of each; `None` where it has none.
        digests: of each, equal for equal matrices.
        units: sketches of length 1, float32; NaN for a matrix without a direction.
        lengths: those of the sketches of W itself; units times lengths are linear in the weights. NaN for none.
        logs: log₁₀ of the upper half of the eigenvalues over their sum; empty where there are none.
        directions: fingerprints of length 1, shape (matrices, 2, COUNT, SIGNS), float32; NaN where not defined.
        zeros: the share of entries that are 0.
        levels: the most distinct values among neighbours, as in `Sketch`.
        coded: whether it is stored as codes of a quantised format.
        sizes: its number of weights.
    """

    keys: tuple[Key, ...]
    roles: tuple[str, ...]
    depths: tuple[int | None, ...]
    digests: tuple[str, ...]
    units: np.ndarray
    lengths: np.ndarray
    logs: tuple[np.ndarray, ...]
    directions: np.ndarray
    zeros: np.ndarray
    levels: np.ndarray
    coded: np.ndarray
    sizes: np.ndarray

    @cached_property
    def contents(self) -> tuple[str, ...]:
        """The digests of all matrices, whatever their names."""
        return tuple(sorted(self.digests))

    @cached_property
    def shapes(self) -> Counter[tuple[int, int, int]]:
        """How many matrices there are of each shape."""
        return Counter(key[1:] for key in self.keys)


def portrait_of(matrices: Iterable[SketchedMatrix]) -> Portrait:
    """Put the arrays of a model's matrices together."""
    given = list(matrices)
    names = _names([each.matrix.name for each in given])
    order = sorted(range(len(given)), key=lambda place: (names[place], _shape(given[place])))
    ordered = [given[place] for place in order]
    rows = [each.matrix for each in ordered]
    sums = np.array([each.sketch.sums for each in ordered], np.float32).reshape(len(rows), -1)
    return Portrait(
        keys=tuple((names[place], *_shape(given[place])) for place in order),
        roles=tuple(matrix.role for matrix in rows),
        depths=tuple(matrix.depth for matrix in rows),
        digests=tuple(f"{each.digest.hex()}{each.matrix.cut!r}" for each in ordered),
        units=_of_unit(sums),
        lengths=np.array([_norm(each.spectrum) for each in ordered]) * np.sqrt(np.square(sums).sum(axis=1)),
        logs=tuple(_logs(each.spectrum) for each in ordered),
        directions=_directions(ordered),
        zeros=np.array([each.sketch.zeros for each in ordered]),
        levels=np.array([each.sketch.levels for each in ordered], np.int64),
        coded=np.array([matrix.tensor.dtype.name not in _PLAIN for matrix in rows], bool),
        sizes=np.array([matrix.parameters for matrix in rows], np.int64),
    )


def _names(names: Sequence[str]) -> list[str]:
    """The names without prefixes, whole where two would be the same."""
    short = [canonical_name(name) for name in names]
    times = Counter(short)
    return [one if times[one] == 1 else name for one, name in zip(short, names, strict=True)]


def _shape(each: SketchedMatrix) -> tuple[int, int, int]:
    return each.matrix.slices, each.matrix.rows, each.matrix.columns


def _norm(spectrum: Spectrum) -> float:
    """‖W‖_F; NaN for a matrix without a direction."""
    return float(spectrum.total**0.5) if spectrum.state == "finite" else nan


def count_of_logs(slices: int, rows: int, columns: int) -> int:
    """How many eigenvalues of a matrix are compared: the upper half, or as many of it, evenly spread."""
    count = slices * min(rows, columns)
    return min(count - count // 2, _MOST)


def _logs(spectrum: Spectrum) -> np.ndarray:
    values = spectrum.eigenvalues
    if not values.size:
        return np.empty(0)
    count = count_of_logs(spectrum.slices, spectrum.rows, spectrum.columns)
    places = np.linspace(values.size // 2, values.size - 1, count).round().astype(np.intp)
    upper: np.ndarray = np.log10(np.maximum(values[places] / values.sum(), _LEAST))
    return upper


def _directions(matrices: Sequence[SketchedMatrix]) -> np.ndarray:
    none = np.full((2, COUNT, SIGNS), np.nan, np.float32)
    found = [none if each.directions is None else each.directions for each in matrices]
    return _of_unit(np.array(found, np.float32).reshape(len(matrices), 2, COUNT, SIGNS))


def _of_unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors of length 1 along the last axis; NaN for those of length 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        scaled: np.ndarray = vectors / np.sqrt(np.square(vectors).sum(axis=-1, keepdims=True))
    return scaled.astype(np.float32)

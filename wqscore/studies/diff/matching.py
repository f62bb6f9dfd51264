"""Which matrix of one model is which of another: by name, by a prefix less, by contents; never by position."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from wqscore.matrices.matching import canonical_name
from wqscore.matrices.weight_matrix import WeightMatrix
from wqscore.studies.diff.fingerprint import Fingerprint

By = Literal["name", "prefix", "digest", "content"]
Side = Literal["base", "other"]
#: Above this cosine, two matrices share weights: unrelated ones are within 0.09·5 of 0.
ALIKE = 0.5


@dataclass(frozen=True)
class Pair:
    """A matrix in both models.

    Attributes:
        base: the matrix of the base.
        other: the same matrix of the other model.
        by: how it was found.
    """

    base: WeightMatrix
    other: WeightMatrix
    by: By


@dataclass(frozen=True)
class Unmatched:
    """A matrix, or a tensor that could not be read as one, without its like in the other model.

    Attributes:
        name: its name.
        side: the model that has it.
        reason: why it has no like.
    """

    name: str
    side: Side
    reason: str


def by_name(base: Sequence[WeightMatrix], other: Sequence[WeightMatrix]) -> list[Pair]:
    """The pairs of equal names and shapes, then those whose names are equal without a prefix.

    The prefix is one leading component of either name, or any number of those that wrappers and task models add. A
    name that would match several is left out.
    """
    named = {matrix.name: matrix for matrix in other}
    found = [
        Pair(matrix, named[matrix.name], "name")
        for matrix in base
        if matrix.name in named and shape_of(matrix) == shape_of(named[matrix.name])
    ]
    pairs = list(found)
    for keys in (_one_component, _canonical):
        left, right = remaining(base, other, pairs)
        pairs += _by_keys(left, right, keys)
    return pairs


def by_contents(
    base: Sequence[WeightMatrix], other: Sequence[WeightMatrix], read: Callable[[WeightMatrix], Fingerprint]
) -> list[Pair]:
    """The pairs of equal contents, then those of one shape and role with the highest cosine above `ALIKE`.

    Args:
        base: matrices without their like by name.
        other: the same of the other model.
        read: reads a matrix and returns its fingerprint; called once for each whose shape the other model has too.
    """
    shapes = {shape_of(matrix) for matrix in base} & {shape_of(matrix) for matrix in other}
    left, right = ([matrix for matrix in side if shape_of(matrix) in shapes] for side in (base, other))
    if not shapes:
        return []
    prints = {id(matrix): read(matrix) for matrix in (*left, *right)}
    pairs: list[Pair] = []
    by_digest: dict[bytes, list[WeightMatrix]] = defaultdict(list)
    for matrix in right:
        by_digest[prints[id(matrix)].digest].append(matrix)
    for matrix in left:
        if same := by_digest[prints[id(matrix)].digest]:
            pairs.append(Pair(matrix, same.pop(0), "digest"))
    return pairs + _by_cosine(*remaining(left, right, pairs), prints)


def remaining(
    base: Sequence[WeightMatrix], other: Sequence[WeightMatrix], pairs: Iterable[Pair]
) -> tuple[list[WeightMatrix], list[WeightMatrix]]:
    """The matrices of both that are in no pair."""
    taken = {id(matrix) for pair in pairs for matrix in (pair.base, pair.other)}
    left, right = ([matrix for matrix in side if id(matrix) not in taken] for side in (base, other))
    return left, right


def why_alone(matrix: WeightMatrix, others: Mapping[str, WeightMatrix]) -> str:
    """Why a matrix has no like in the other model, whose matrices are given by name."""
    same = others.get(matrix.name)
    if same is None:
        return "no matrix of that name or contents"
    return f"{sides(matrix)} here, {sides(same)} there"


def sides(matrix: WeightMatrix) -> str:
    """A matrix's rows, columns and slices, for people."""
    slices = f" × {matrix.slices} slices" if matrix.slices > 1 else ""
    return f"{matrix.rows} × {matrix.columns}{slices}"


def shape_of(matrix: WeightMatrix) -> tuple[int, int, int]:
    """Slices, rows and columns."""
    return matrix.slices, matrix.rows, matrix.columns


def _one_component(name: str, is_base: bool) -> list[str]:
    """A name whole and without its first component, marked so that two names are never both cut."""
    short = name.partition(".")[2]
    whole, cut = (f"base {name}", f"other {short}") if is_base else (f"other {name}", f"base {short}")
    return [whole, cut] if short else [whole]


def _canonical(name: str, is_base: bool) -> list[str]:
    return [canonical_name(name)]


def _by_keys(
    base: Sequence[WeightMatrix], other: Sequence[WeightMatrix], keys: Callable[[str, bool], list[str]]
) -> list[Pair]:
    """The pairs that share a key which no third matrix has."""
    left, right = _indexed(base, keys, True), _indexed(other, keys, False)
    pairs: list[Pair] = []
    for key, ours in left.items():
        theirs = right.get(key, [])
        if len(ours) == len(theirs) == 1 and shape_of(ours[0]) == shape_of(theirs[0]):
            pairs.append(Pair(ours[0], theirs[0], "prefix"))
    times = Counter(id(matrix) for pair in pairs for matrix in (pair.base, pair.other))
    return [pair for pair in pairs if times[id(pair.base)] == times[id(pair.other)] == 1]


def _indexed(
    matrices: Iterable[WeightMatrix], keys: Callable[[str, bool], list[str]], is_base: bool
) -> dict[str, list[WeightMatrix]]:
    found: dict[str, list[WeightMatrix]] = defaultdict(list)
    for matrix in matrices:
        for key in keys(matrix.name, is_base):
            found[key].append(matrix)
    return found


def _by_cosine(
    base: Sequence[WeightMatrix], other: Sequence[WeightMatrix], prints: Mapping[int, Fingerprint]
) -> list[Pair]:
    """The pairs of one shape and role, the most alike first."""
    cosines = sorted(_cosines(base, other, prints), key=lambda each: (-each[0], *each[1:]))
    pairs: list[Pair] = []
    taken: tuple[set[int], set[int]] = set(), set()
    for _, place, at in cosines:
        if place not in taken[0] and at not in taken[1]:
            pairs.append(Pair(base[place], other[at], "content"))
            taken[0].add(place)
            taken[1].add(at)
    return pairs


def _cosines(
    base: Sequence[WeightMatrix], other: Sequence[WeightMatrix], prints: Mapping[int, Fingerprint]
) -> Iterator[tuple[float, int, int]]:
    """The cosines above `ALIKE` of two matrices of one shape and role, each with their places."""
    kinds: dict[object, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for side, matrices in enumerate((base, other)):
        for place, matrix in enumerate(matrices):
            kinds[matrix.role, shape_of(matrix)][side].append(place)
    for places, others in kinds.values():
        if not places or not others:
            continue
        left, right = (
            np.stack([prints[id(matrices[place])].sketch for place in chosen])
            for matrices, chosen in ((base, places), (other, others))
        )
        cosines = left @ right.T
        for row, column in np.argwhere(cosines > ALIKE):
            yield float(cosines[row, column]), places[row], others[column]

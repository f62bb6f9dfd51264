"""Which matrices of two models are compared with each other: pairs of one name, or all of one role."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from wqscore.matrices.matching import canonical_name
from wqscore.matrices.weight_matrix import SkippedTensor
from wqscore.scoring.model_score import ModelScore
from wqscore.scoring.role_draws import MatrixKey
from wqscore.scoring.selection import LeftOut

#: Two models are compared pair by pair when they share at least this share of their matrices, and role by role when
#: the roles that both have hold at least this share.
_MIN_SHARED = 0.5

_NUMBER = re.compile("[0-9]+")

#: By a name without its numbers: the numbers with which it occurs.
Numbering = Mapping[str, frozenset[tuple[str, ...]]]


def numbering(score: ModelScore) -> Numbering:
    """Which layers, experts and blocks a model has, as the names of its matrices number them.

    Matrices that could not be scored, or were left out, count: they are there.
    """
    names = [row.matrix.name for row in score.layers]
    skipped = [row for row in score.rows if isinstance(row, SkippedTensor)]
    names += [row.name for row in skipped if row.kind != "not-a-matrix" or isinstance(row, LeftOut)]
    return numbering_of(names)


def numbering_of(names: Iterable[str]) -> Numbering:
    """The same from the names of the matrices."""
    found: dict[str, set[tuple[str, ...]]] = {}
    for pattern, numbers in map(_numbers_apart, names):
        found.setdefault(pattern, set()).add(numbers)
    return {pattern: frozenset(numbers) for pattern, numbers in found.items()}


@lru_cache(maxsize=1 << 16)
def _numbers_apart(name: str) -> tuple[str, tuple[str, ...]]:
    """A name without prefixes and numbers, and its numbers; models of one family have the same names."""
    bare = canonical_name(name)
    return _NUMBER.sub("#", bare), tuple(_NUMBER.findall(bare))


def numbered_alike(one: Numbering, other: Numbering) -> bool:
    """Whether two models have as many layers, experts and blocks of every kind that both have.

    Layer 5 of 6 is not layer 5 of 12, and expert 3 of 8 is not expert 3 of 16.
    """
    return all(one[pattern] == other[pattern] for pattern in one.keys() & other.keys())


def pairs_of(one: Sequence[MatrixKey], other: Sequence[MatrixKey]) -> list[tuple[int, int]]:
    """The places of the matrices that both have.

    Returns:
        None of them if they share less than half of their matrices, or if a key occurs twice in one of them.
    """
    places = {key: place for place, key in enumerate(other)}
    if len(places) < len(other) or len(set(one)) < len(one):
        return []
    found = [(place, places[key]) for place, key in enumerate(one) if key in places]
    return found if found and len(found) >= _MIN_SHARED * max(len(one), len(other)) else []


def strata_of(one: Sequence[MatrixKey], other: Sequence[MatrixKey]) -> list[tuple[list[int], list[int]]]:
    """The places of the matrices of each role that both have; all as one if these hold less than half of either."""
    first, second = _by_role(one), _by_role(other)
    shared = [(first[role], second[role]) for role in sorted(first.keys() & second.keys())]
    held = [sum(map(len, places)) for places in zip(*shared, strict=True)]
    if held and held[0] >= _MIN_SHARED * len(one) and held[1] >= _MIN_SHARED * len(other):
        return shared
    return [([*range(len(one))], [*range(len(other))])] if one and other else []


def _by_role(keys: Iterable[MatrixKey]) -> dict[str, list[int]]:
    places: dict[str, list[int]] = {}
    for place, (role, *_) in enumerate(keys):
        places.setdefault(role, []).append(place)
    return places

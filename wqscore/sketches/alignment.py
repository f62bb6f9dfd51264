"""Which matrix of one model is which of another: by name and shape, else by role and layer, else by contents."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from wqscore.sketches.portrait import Portrait

#: Above this cosine, two matrices share weights: unrelated ones are within 0.09·5 of 0.
ALIKE = 0.5
#: As few matrices tell nothing of a model.
LEAST = 3
#: Cosines that are held at a time.
_BLOCK = 1 << 23
#: More pairs of matrices of one role and shape are of a mixture's experts, which may change places within a layer.
_MANY = 1 << 20


@dataclass(frozen=True, eq=False)
class Alignment:
    """The places of matched matrices in two models.

    Attributes:
        left: of the first.
        right: of the second, in the same order.
        moved: how many of them were found by their contents, under another name.
    """

    left: np.ndarray
    right: np.ndarray
    moved: int = 0


def by_name(one: Portrait, other: Portrait) -> Alignment:
    """The matrices of one name and shape; where these are too few, those of one role, layer and shape."""
    if one.keys == other.keys:
        places = np.arange(len(one.keys))
        return Alignment(places, places)
    there = {key: place for place, key in enumerate(other.keys)}
    pairs = [(place, there[key]) for place, key in enumerate(one.keys) if key in there]
    if len(pairs) < LEAST:
        ours, theirs = _by_role(one), _by_role(other)
        pairs = [(place, theirs[kind]) for kind, place in ours.items() if kind in theirs] or pairs
    return _alignment(pairs)


def by_direction(one: Portrait, other: Portrait) -> list[tuple[int, int, int]]:
    """Matrices of one name and of one length on one side alone: their places, and the side, 0 for the rows."""
    there: dict[str, list[int]] = defaultdict(list)
    for place, key in enumerate(other.keys):
        there[key[0]].append(place)
    found = []
    for place, (name, slices, rows, columns) in enumerate(one.keys):
        for match in there.get(name, ()):
            _, others, their_rows, their_columns = other.keys[match]
            if slices == others == 1 and (rows == their_rows) != (columns == their_columns):
                found.append((place, match, 0 if rows == their_rows else 1))
    return found


def by_contents(one: Portrait, other: Portrait, named: Alignment) -> Alignment:
    """The matrices of one shape and role that are most alike, above `ALIKE`; the others as named."""
    hits = [
        (float(cosine), left, right)
        for lefts, rights in shared_kinds(one, other)
        for cosine, left, right in _above(one.units[lefts], other.units[rights], lefts, rights)
    ]
    names = dict(zip(named.left.tolist(), named.right.tolist(), strict=True))
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    # A matrix is rather where it is named than where it is as much alike.
    for _, left, right in sorted(hits, key=lambda hit: (-round(hit[0], 3), names.get(hit[1]) != hit[2], hit[1:])):
        if left not in pairs and right not in taken:
            pairs[left] = right
            taken.add(right)
    moved = sum(names.get(left) != right for left, right in pairs.items())
    pairs |= {left: right for left, right in names.items() if left not in pairs and right not in taken}
    return _alignment(sorted(pairs.items()), moved)


def moved_pairs(ones: Sequence[Portrait], others: Sequence[Portrait], named: Alignment) -> set[tuple[int, int]]:
    """The models, as places in both, that have a matrix above `ALIKE` of one shape and role under another name.

    Args:
        ones: models with the same keys.
        others: models with the same keys.
        named: how their matrices are matched by name.
    """
    like = np.full(len(ones[0].keys), -1)
    like[named.left] = named.right
    found: set[tuple[int, int]] = set()
    for lefts, rights in shared_kinds(ones[0], others[0]):
        is_named = like[lefts][:, None] == np.array(rights)
        if is_named.all():
            continue
        width = len(others) * len(rights)
        right_units = np.stack([each.units[rights] for each in others]).reshape(width, -1)
        step = max(1, _BLOCK // (width * len(lefts)))
        for start in range(0, len(ones), step):
            some = np.stack([each.units[lefts] for each in ones[start : start + step]])
            cosines = (some.reshape(-1, some.shape[-1]) @ right_units.T).reshape(
                len(some), len(lefts), len(others), len(rights)
            )
            with np.errstate(invalid="ignore"):
                alike = (cosines > ALIKE) & ~is_named[None, :, None, :]
            found |= {(start + int(a), int(b)) for a, b in np.argwhere(alike.any(axis=(1, 3)))}
    return found


def shared_kinds(one: Portrait, other: Portrait) -> Iterator[tuple[list[int], list[int]]]:
    """The places in both of the matrices of each role and shape that both have; of many, those of each layer."""
    ours, theirs = _by_kind(one), _by_kind(other)
    for kind, places in ours.items():
        matches = theirs.get(kind, [])
        if len(places) * len(matches) <= _MANY:
            yield from [(places, matches)] if matches else []
            continue
        for depth in sorted({one.depths[place] for place in places} - {None}, key=str):
            left = [place for place in places if one.depths[place] == depth]
            right = [place for place in matches if other.depths[place] == depth]
            if left and 0 < len(left) * len(right) <= _MANY:
                yield left, right


def _above(
    left: np.ndarray, right: np.ndarray, lefts: Sequence[int], rights: Sequence[int]
) -> Iterator[tuple[float, int, int]]:
    cosines = left @ right.T
    with np.errstate(invalid="ignore"):
        places = np.argwhere(cosines > ALIKE)
    for row, column in places:
        yield cosines[row, column], lefts[row], rights[column]


def _by_kind(model: Portrait) -> dict[object, list[int]]:
    found: dict[object, list[int]] = defaultdict(list)
    for place, (role, key) in enumerate(zip(model.roles, model.keys, strict=True)):
        found[role, key[1:]].append(place)
    return found


def _by_role(model: Portrait) -> dict[object, int]:
    """The place of each matrix that is the only one of its role, layer and shape."""
    kinds = [(role, depth, key[1:]) for role, depth, key in zip(model.roles, model.depths, model.keys, strict=True)]
    times = Counter(kinds)
    return {kind: place for place, kind in enumerate(kinds) if times[kind] == 1}


def _alignment(pairs: Sequence[tuple[int, int]], moved: int = 0) -> Alignment:
    places = np.array(pairs, np.intp).reshape(-1, 2)
    return Alignment(places[:, 0], places[:, 1], moved)

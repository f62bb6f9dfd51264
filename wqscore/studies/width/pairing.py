"""Find which projections belong together, by their places in the model's tree of modules."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from wqscore.matrices.plain_names import plain_name
from wqscore.matrices.roles import layer_of
from wqscore.matrices.weight_matrix import WeightMatrix

_ITEM = re.compile(r"\[([0-9]{1,9})(?=[.\]])")
Fits = Callable[[WeightMatrix, WeightMatrix], bool]


@dataclass(frozen=True)
class Place:
    """Where a matrix is.

    Attributes:
        layer: the numbered layer; empty outside of one.
        item: its place in a stack, such as an expert's number; empty where it is in none.
        path: the components of its name without the parameter's own.
    """

    layer: str
    item: str
    path: tuple[str, ...]


def stored_name(matrix: WeightMatrix) -> str:
    """The name of a matrix without its place in a stack or in a fused tensor."""
    return matrix.name.partition("[")[0]


def place_of(matrix: WeightMatrix) -> Place:
    """Where a matrix is, by its name."""
    stored = stored_name(matrix)
    item = _ITEM.search(matrix.name, len(stored))
    name = plain_name(stored)
    return Place(layer_of(name) or "", item[1] if item else "", tuple(name.split(".")[:-1]))


def shared_path(matrices: Iterable[WeightMatrix]) -> str:
    """The module that holds some matrices, with the place in a stack."""
    places = [place_of(matrix) for matrix in matrices]
    path = places[0].path
    for each in places[1:]:
        path = path[: _common(path, each.path)]
    return ".".join(path) + (f"[{places[0].item}]" if places[0].item else "")


def paired(left: Sequence[WeightMatrix], right: Sequence[WeightMatrix], fits: Fits) -> dict[str, WeightMatrix | str]:
    """Find each matrix's partner: of those of its layer that fit, the one nearest in the tree of modules.

    Args:
        left: matrices that look for a partner.
        right: those that they may have.
        fits: whether two can be partners.

    Returns:
        For each of the left by its name the partner, or why there is none.
    """
    found: dict[str, WeightMatrix | str] = {matrix.name: "" for matrix in left}
    groups: dict[tuple[str, str], tuple[list[WeightMatrix], list[WeightMatrix]]] = defaultdict(lambda: ([], []))
    for side, matrices in enumerate((left, right)):
        for matrix in matrices:
            place = place_of(matrix)
            groups[place.layer, place.item][side].append(matrix)
    for ours, theirs in groups.values():
        found |= _of_a_layer(ours, theirs, fits)
    return found


def _of_a_layer(
    left: Sequence[WeightMatrix], right: Sequence[WeightMatrix], fits: Fits
) -> dict[str, WeightMatrix | str]:
    paths = {matrix.name: place_of(matrix).path for matrix in (*left, *right)}
    near = [
        (_common(paths[ours.name], paths[theirs.name]), ours, theirs)
        for ours in left
        for theirs in right
        if fits(ours, theirs)
    ]
    found: dict[str, WeightMatrix | str] = {}
    taken: set[str] = set()
    for depth in sorted({each[0] for each in near}, reverse=True):
        open_pairs = [
            (ours, theirs)
            for common, ours, theirs in near
            if common == depth and ours.name not in found and theirs.name not in taken
        ]
        times = Counter(name for pair in open_pairs for name in {pair[0].name, pair[1].name})
        for ours, theirs in open_pairs:
            is_only = times[ours.name] == times[theirs.name] == 1
            found[ours.name] = theirs if is_only else "which projections belong together can't be told"
            taken.add(theirs.name)
    return found


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many components two paths begin with alike."""
    for place, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return place
    return min(len(one), len(other))

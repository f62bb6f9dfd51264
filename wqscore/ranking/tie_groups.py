"""Groups of models that can't be told apart, and their letters: a compact letter display.

Piepho, J. Comput. Graph. Statist. 13 (2004), 456–466: two models share a letter exactly if they are tied. Here the
groups are cliques of ties that cover every tie, found one after the other; there are never more than ties.
"""

from __future__ import annotations

from itertools import combinations
from string import ascii_lowercase

import numpy as np


def tie_groups(count: int, apart: frozenset[tuple[int, int]]) -> list[tuple[int, ...]]:
    """Groups of two or more models that are all pairwise tied, such that every two tied models share one.

    Args:
        count: how many models there are, in order.
        apart: the places i < j of models that can be told apart.

    Returns:
        The places of each group, in order of its first; none lies within another.
    """
    tied = ~np.eye(count, dtype=bool)
    for first, second in apart:
        tied[first, second] = tied[second, first] = False
    shared = np.zeros_like(tied)
    groups: list[tuple[int, ...]] = []
    for first, second in combinations(range(count), 2):
        if tied[first, second] and not shared[first, second]:
            group = _grown(tied, shared, first, second)
            groups.append(group)
            shared[np.ix_(group, group)] = True
    return sorted(_needed(groups, count))


def tie_label(number: int) -> str:
    """The letters of a tie group.

    Example:
        >>> tie_label(0), tie_label(25), tie_label(26), tie_label(27)
        ('a', 'z', 'aa', 'ab')
    """
    before, letter = divmod(number, len(ascii_lowercase))
    return (tie_label(before - 1) if before else "") + ascii_lowercase[letter]


def _grown(tied: np.ndarray, shared: np.ndarray, first: int, second: int) -> tuple[int, ...]:
    """A group around two tied models to which none can be added.

    Of the others that are tied with all, the one with the most ties to them that no group holds yet is added first;
    among equals, the best.
    """
    group = [first, second]
    able = tied[first] & tied[second]
    while able.any():
        gained = (~shared[group]).sum(axis=0)
        added = int(np.argmax(np.where(able, gained, -1)))
        group.append(added)
        able &= tied[added]
    return tuple(sorted(group))


def _needed(groups: list[tuple[int, ...]], count: int) -> list[tuple[int, ...]]:
    """The groups without those all of whose ties others hold too."""
    held = np.zeros((count, count), dtype=int)
    for group in groups:
        held[np.ix_(group, group)] += 1
    kept = []
    for group in groups:
        inside = np.ix_(group, group)
        if (held[inside] > 1)[~np.eye(len(group), dtype=bool)].all():
            held[inside] -= 1
        else:
            kept.append(group)
    return kept

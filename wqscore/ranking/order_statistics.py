"""The k-th smallest of very many sums or differences, found without a list of them all."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

#: Up to so many sums are listed, which is quicker.
_LISTED = 100_000
#: The width, relative to the sums, at which halving ends.
_CLOSE = 1e-13

#: Two ascending arrays; their sums are all x + y.
Lists = tuple[np.ndarray, np.ndarray]


def kth_mean(values: np.ndarray, k: int) -> float:
    """The k-th smallest of the n(n + 1)/2 means of two of n values, each value with itself included.

    Args:
        values: ascending, shape (n,).
        k: from 1 on.
    """
    if values.size**2 <= _LISTED:
        first, second = np.triu_indices(values.size)
        return _smallest((values[first] + values[second]) / 2, k)
    lists = [(values, values)]

    def count(total: float) -> int:
        # Of the n² sums, those of two different values come twice.
        return (_count(lists, total) + int(np.searchsorted(2 * values, total, "right"))) // 2

    return _bisected(lists, count, k) / 2


def kth_difference(strata: Sequence[Lists], k: int) -> float:
    """The k-th smallest difference of a value of the first array and one of the second, over all strata.

    Args:
        strata: two ascending arrays each; values of different strata are not compared.
        k: from 1 on.
    """
    lists = [(first, -second[::-1]) for first, second in strata]
    if sum(first.size * second.size for first, second in lists) <= _LISTED:
        return _smallest(np.concatenate([np.add.outer(*each).ravel() for each in lists]), k)
    return _bisected(lists, lambda total: _count(lists, total), k)


def _smallest(values: np.ndarray, k: int) -> float:
    return float(np.partition(values, k - 1)[k - 1])


def _count(lists: Sequence[Lists], total: float) -> int:
    """How many sums are at most this."""
    return sum(int(np.searchsorted(second, total - first, "right").sum()) for first, second in lists)


def _bisected(lists: Sequence[Lists], count: Callable[[float], int], k: int) -> float:
    """The smallest sum of which `count` says that at least k sums are at most it."""
    low = min(float(first[0] + second[0]) for first, second in lists)
    high = max(float(first[-1] + second[-1]) for first, second in lists)
    if count(low) >= k:
        return low
    close = _CLOSE * max(abs(low), abs(high))
    while high - low > close and low < (middle := low + (high - low) / 2) < high:
        low, high = (low, middle) if count(middle) >= k else (middle, high)
    return min(_next_above(first, second, low) for first, second in lists)


def _next_above(first: np.ndarray, second: np.ndarray, total: float) -> float:
    """The smallest sum above this; infinite if there is none."""
    places = np.searchsorted(second, total - first, "right")
    inside = places < second.size
    return float((first[inside] + second[places[inside]]).min()) if inside.any() else float("inf")

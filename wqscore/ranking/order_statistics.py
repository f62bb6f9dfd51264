"""Order statistics of very many means or differences of two values, found without a list of them all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np

#: Up to so many sums are listed, which is quicker.
_LISTED = 100_000
#: The width, relative to the sums, at which halving ends.
_CLOSE = 1e-13

#: Two ascending arrays; their sums are all x + y.
Lists = tuple[np.ndarray, np.ndarray]


def inner_means(values: np.ndarray, left_out: int) -> tuple[float, float]:
    """The ends of the n(n + 1)/2 means of two of n values, without so many of the smallest and of the largest.

    Args:
        values: ascending, shape (n,); the mean of each value with itself is included.
        left_out: at each side; less than half of them.
    """
    count = values.size * (values.size + 1) // 2
    if values.size**2 <= _LISTED:
        first, second = _two_of(values.size)
        return _inner((values[first] + values[second]) / 2, left_out)
    lists = [(values, values)]

    def at_most(total: float) -> int:
        # Of the n² sums, those of two different values come twice.
        return (_count(lists, total) + int(np.searchsorted(2 * values, total, "right"))) // 2

    return _bisected(lists, at_most, left_out + 1) / 2, _bisected(lists, at_most, count - left_out) / 2


def inner_differences(strata: Sequence[Lists], left_out: int) -> tuple[float, float]:
    """The ends of the differences of a value of the first array and one of the second, over all strata.

    Args:
        strata: two ascending arrays each; values of different strata are not compared.
        left_out: how many of the smallest and of the largest are left out; less than half of them.
    """
    lists = [(first, -second[::-1]) for first, second in strata]
    count = sum(first.size * second.size for first, second in lists)
    if count <= _LISTED:
        return _inner(np.concatenate([np.add.outer(*each).ravel() for each in lists]), left_out)

    def at_most(total: float) -> int:
        return _count(lists, total)

    return _bisected(lists, at_most, left_out + 1), _bisected(lists, at_most, count - left_out)


@lru_cache(maxsize=16)
def _two_of(count: int) -> tuple[np.ndarray, np.ndarray]:
    """The places of two of so many values, each with itself included."""
    return np.triu_indices(count)


def _inner(values: np.ndarray, left_out: int) -> tuple[float, float]:
    first, last = left_out, values.size - 1 - left_out
    found = np.partition(values, (first, last))
    return float(found[first]), float(found[last])


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

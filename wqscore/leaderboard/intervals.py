"""The interval of a median over a model's matrices, by order statistics."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb

#: The interval covers at least this.
_COVERAGE = 0.95


def median_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Return the interval of order statistics that covers the median of a law with probability 95 % or more.

    It holds for any law, and needs no resampling: values below the median are binomial (David and Nagaraja, Order
    Statistics, 2003, section 7.1).

    Args:
        values: in any order, all finite.

    Returns:
        Both ends, each one of the values; `None` for fewer than 6, for which no interval covers 95 %.

    Example:
        >>> median_interval([3, 1, 4, 1, 5, 9, 2, 6])
        (1, 9)
        >>> median_interval([1, 2, 3, 4, 5]) is None
        True
    """
    ordered = sorted(values)
    below = _max_below(len(ordered))
    return None if below is None else (ordered[below], ordered[-1 - below])


def _max_below(count: int) -> int | None:
    """The largest k such that at most 2.5 % of outcomes have k heads or fewer in `count` tosses."""
    tail, k = 0, -1
    while 2 * (tail + comb(count, k + 1)) <= (1 - _COVERAGE) * 2**count:
        k += 1
        tail += comb(count, k)
    return None if k < 0 else k

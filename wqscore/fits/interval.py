"""The one record of an interval, wherever a number has one: of a fit, of a model's summary, of a correlation."""

from __future__ import annotations

from typing import NamedTuple

#: A statistic over fewer values than this has no interval.
MIN_VALUES = 6


class Interval(NamedTuple):
    """The ends of a 95 % interval, both finite; equal to the tuple `(lo, hi)`.

    Attributes:
        lo: lower end.
        hi: upper end, not below `lo`.
    """

    lo: float
    hi: float

"""The change of a metric over the matrices that two models share, with its paired interval."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, nan
from typing import Literal

import numpy as np

from wqscore.ranking.shifts import paired_shift

#: Fewer pairs have no interval.
MIN_PAIRS = 6
_DRAWS = 2_000
_ENDS = (2.5, 97.5)
#: Draws of pairs held at a time.
_BLOCK = 1 << 22

Headline = Literal["median", "mean"]
_STATISTICS: Mapping[Headline, Callable[..., np.ndarray]] = {"median": np.median, "mean": np.mean}


@dataclass(frozen=True)
class MetricChange:
    """How a metric changed.

    Attributes:
        metric: the metric.
        change: the headline (median or mean) over the pairs of the other model's value less the base's; NaN without
            a pair.
        low: lower end of the 95 % percentile bootstrap interval over pairs; NaN for fewer than 6.
        high: upper end.
        p: two-sided p-value of no change, from flips of the signs of the ranked changes; NaN for fewer than 6 pairs.
        pairs: how many pairs there are: matrices that count in both models' averages of the metric.
    """

    metric: str
    change: float
    low: float
    high: float
    p: float
    pairs: int


def metric_change(metric: str, changes: Sequence[float], headline: Headline, seed: int) -> MetricChange:
    """Summarise the changes of a metric over pairs of matrices.

    Args:
        metric: the metric's name.
        changes: the changes, in the order of the pairs; those that are not finite don't count.
        headline: the statistic over the pairs, as the preset has it over matrices.
        seed: of the bootstrap.
    """
    values = np.array([change for change in changes if isfinite(change)])
    if not values.size:
        return MetricChange(metric, nan, nan, nan, nan, 0)
    low = high = p = nan
    if values.size >= MIN_PAIRS:
        low, high = (float(end) for end in np.percentile(_drawn(values, headline, seed), _ENDS))
        p = paired_shift(values).p
    return MetricChange(metric, float(_STATISTICS[headline](values)), low, high, p, values.size)


def _drawn(values: np.ndarray, headline: Headline, seed: int) -> np.ndarray:
    """The statistic of pairs drawn again."""
    generator = np.random.default_rng(seed)
    at_a_time = max(1, _BLOCK // values.size)
    sizes = [min(at_a_time, _DRAWS - start) for start in range(0, _DRAWS, at_a_time)]
    drawn = (values[generator.integers(values.size, size=(size, values.size))] for size in sizes)
    return np.concatenate([_STATISTICS[headline](each, axis=1) for each in drawn])

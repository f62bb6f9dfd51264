"""Correlate one metric with the published result, over all models or one group, with and without size held fixed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from wqscore.ranking.rank_correlation import (
    RankCorrelation,
    kendall_tau_b,
    partial_correlation,
    rank_correlation,
    spearman,
)

#: Two models always have a correlation of 1 or −1.
MIN_MODELS = 3
#: A p-value of this or more leaves the sign open.
LEVEL = 0.05


@dataclass(frozen=True)
class Partial:
    """Rank correlations with the parameter count held fixed.

    Attributes:
        tau: Kendall's; `None` where the parameters determine metric or result.
        rho: Spearman's; `None` where the parameters determine metric or result.
        n: number of models whose parameters are known.
    """

    tau: float | None
    rho: float | None
    n: int


@dataclass(frozen=True)
class CorrelationRow:
    """The correlation of a metric with the published result, over all models or one group.

    Attributes:
        x: the metric's column.
        group: `None` over all models.
        n: models with both numbers.
        correlation: `None` where it is not defined.
        partial: the correlation with the parameters held fixed, where they are known.
        expected: the sign that the registry claims; `None` without a claim.
        reason: why there is no correlation, or empty.
    """

    x: str
    group: str | None
    n: int
    correlation: RankCorrelation | None
    partial: Partial | None
    expected: Literal[-1, 1] | None
    reason: str

    @property
    def sign(self) -> int:
        """The sign of tau, −1, 0 or 1; 0 without a tau."""
        return int(np.sign(self.correlation.tau.value)) if self.correlation else 0

    @property
    def as_claimed(self) -> Literal["yes", "no", "unclear"] | None:
        """Whether tau has the claimed sign, `unclear` if its p-value is 0.05 or more; `None` without a claim."""
        if self.correlation is None or self.expected is None:
            return None
        if self.correlation.tau.p >= LEVEL:
            return "unclear"
        return "yes" if self.sign == self.expected else "no"


def correlate_row(
    name: str,
    group: str | None,
    values: np.ndarray,
    known: np.ndarray,
    sizes: np.ndarray | None,
    expected: Literal[-1, 1] | None,
    seed: int,
) -> CorrelationRow:
    """Correlate one metric with the published result.

    Args:
        name: the metric.
        group: the models' group, `None` for all models.
        values: the metric, shape (n,), NaN where it is missing.
        known: the published result, shape (n,), NaN where it is missing.
        sizes: the parameters, shape (n,), NaN where missing; `None` if none are known.
        expected: the claimed sign.
        seed: the seed of the random orders.
    """
    both = np.isfinite(values) & np.isfinite(known)
    n = int(both.sum())
    found = rank_correlation(values[both], known[both], seed) if n >= MIN_MODELS else None
    partial = _partial(values, known, sizes) if found and sizes is not None else None
    reason = "" if found else f"fewer than {MIN_MODELS} models" if n < MIN_MODELS else "one is the same for all"
    return CorrelationRow(name, group, n, found, partial, expected, reason)


def _partial(values: np.ndarray, known: np.ndarray, sizes: np.ndarray) -> Partial | None:
    every = np.isfinite(values) & np.isfinite(known) & np.isfinite(sizes)
    x, y, z = values[every], known[every], sizes[every]
    if x.size <= MIN_MODELS:
        return None
    given = []
    for measure in (kendall_tau_b, spearman):
        xy, xz, yz = measure(x, y), measure(x, z), measure(y, z)
        given.append(None if xy is None or xz is None or yz is None else partial_correlation(xy, xz, yz))
    return Partial(given[0], given[1], x.size)

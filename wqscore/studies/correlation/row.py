"""One metric against what is known, over all models or one group: correlations, given size, and as claimed or not."""

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

#: Two models are always in order or in reverse.
LEAST_MODELS = 3
#: A p-value from here on says nothing of the sign.
LEVEL = 0.05


@dataclass(frozen=True)
class Partial:
    """Rank correlations given the parameters, whose ranks are those of their logarithm.

    Attributes:
        tau: Kendall's; `None` where the parameters decide one of the two.
        rho: Spearman's, likewise.
        n: the models whose parameters are known.
    """

    tau: float | None
    rho: float | None
    n: int


@dataclass(frozen=True)
class CorrelationRow:
    """A metric against what is known, over all models or one group.

    Attributes:
        x: the metric's column.
        group: `None` over all models.
        n: models with both numbers.
        correlation: `None` where there is none to speak of.
        partial: given the parameters, where they are known.
        expected: the sign that the registry's claim asks for; `None` without a claim.
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
        """−1, 0 or 1: of tau, 0 without one."""
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
    """Correlate one metric of some models.

    Args:
        name: the metric.
        group: the models' group, `None` for all.
        values: the metric, shape (n,), NaN where it is missing.
        known: what is known, likewise.
        sizes: the parameters, likewise, if any are known.
        expected: the sign that is claimed.
        seed: of the random orders.
    """
    both = np.isfinite(values) & np.isfinite(known)
    n = int(both.sum())
    found = rank_correlation(values[both], known[both], seed) if n >= LEAST_MODELS else None
    partial = _partial(values, known, sizes) if found and sizes is not None else None
    reason = "" if found else f"fewer than {LEAST_MODELS} models" if n < LEAST_MODELS else "one is the same for all"
    return CorrelationRow(name, group, n, found, partial, expected, reason)


def _partial(values: np.ndarray, known: np.ndarray, sizes: np.ndarray) -> Partial | None:
    every = np.isfinite(values) & np.isfinite(known) & np.isfinite(sizes)
    x, y, z = values[every], known[every], sizes[every]
    if x.size <= LEAST_MODELS:
        return None
    given = []
    for measure in (kendall_tau_b, spearman):
        xy, xz, yz = measure(x, y), measure(x, z), measure(y, z)
        given.append(None if xy is None or xz is None or yz is None else partial_correlation(xy, xz, yz))
    return Partial(given[0], given[1], x.size)

"""Simpson's paradox: is a metric's sign within groups truly another than over all models?

A group of four has the other sign by chance alone one time in five where the true correlation is +0.5. A flip counts
only where one of three tests finds it, each at a third of 5 %:

- within: the groups' concordance summed, against orders of y drawn within each group (a stratified Kendall test);
- one group: its own p-value, one-sided, times the number of groups (Bonferroni);
- between: the groups' taus differ by more than their variances under independence allow (Cochran's Q).

Source: Kendall & Gibbons, Rank Correlation Methods (5th ed. 1990), chapter 4 for the variance of tau; Cochran,
Biometrics 10:101 (1954); Simpson, J. R. Stat. Soc. B 13:238 (1951).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import erfc, exp, lgamma, log, sqrt

import numpy as np

from wqscore.ranking.rank_correlation import concordance_of_orders
from wqscore.studies.correlation.row import LEVEL, CorrelationRow

_TESTS = 3


@dataclass(frozen=True)
class SignFlip:
    """Simpson's paradox: tau has one sign over all models and the other within groups.

    Attributes:
        pooled: tau over all models.
        flipped: the groups with the other sign.
        groups: the number of groups with a sign.
        p: the least p-value of the three tests, times three; a flip of less than 0.05 is no chance.
    """

    pooled: CorrelationRow
    flipped: tuple[CorrelationRow, ...]
    groups: int
    p: float = 0.0

    def is_evident(self, tried: int) -> bool:
        """Whether the flip is more than chance, in a study of so many metrics.

        Where not even the pooled sign is known, a flip in one metric of many is likely: Bonferroni.
        """
        known = self.pooled.correlation is not None and self.pooled.correlation.tau.p < LEVEL
        return self.p * (1 if known else tried) < LEVEL


def find_flip(
    rows: Sequence[CorrelationRow], members: Sequence[tuple[np.ndarray, np.ndarray]], seed: int
) -> SignFlip | None:
    """Compare one metric's sign over all models with its sign in each group; `None` if no group's is opposite.

    Args:
        rows: the metric's, over all models first and then by group.
        members: x and y of each group's models, both finite, in the order of the groups' rows.
        seed: of the random orders.
    """
    pooled, *groups = rows
    within = [row for row in groups if row.sign]
    flipped = tuple(row for row in within if pooled.sign and row.sign == -pooled.sign)
    if not flipped:
        return None
    alone = min(row.correlation.tau.p / 2 for row in flipped if row.correlation) * len(within)
    p = _TESTS * min(
        _within(members, -pooled.sign, seed), alone, _between([row for row in groups if row.correlation])
    )
    return SignFlip(pooled, flipped, len(within), min(1.0, p))


def _within(members: Sequence[tuple[np.ndarray, np.ndarray]], sign: int, seed: int) -> float:
    """One-sided p-value of the concordance summed over groups, in the direction of `sign`."""
    rng = np.random.default_rng(seed)
    sums = sum(concordance_of_orders(x, y, rng) for x, y in members if x.size > 1)
    seen, *drawn = sign * np.asarray(sums)
    return float((1 + np.count_nonzero(np.asarray(drawn) >= seen)) / (1 + len(drawn)))


def _between(rows: Sequence[CorrelationRow]) -> float:
    """P-value of Cochran's Q of the groups' taus."""
    taus = np.array([row.correlation.tau.value for row in rows if row.correlation])
    counts = np.array([row.n for row in rows if row.correlation])
    weights = 9 * counts * (counts - 1) / (2 * (2 * counts + 5))
    mean = float(weights @ taus) / float(weights.sum())
    return chi_squared_above(float(weights @ (taus - mean) ** 2), taus.size - 1)


def chi_squared_above(value: float, degrees: int) -> float:
    """Return the probability that χ² with so many degrees of freedom is above a value.

    Example:
        >>> round(chi_squared_above(11.0705, 5), 4)
        0.05
    """
    if degrees < 1:
        return 1.0
    half = value / 2
    # The upper incomplete gamma function, by its recurrence in steps of 1 from ½ or 1 on.
    order = 0.5 if degrees % 2 else 1.0
    above = erfc(sqrt(half)) if degrees % 2 else exp(-half)
    while half > 0 and order < degrees / 2:
        above += exp(order * log(half) - half - lgamma(order + 1))
        order += 1
    return min(1.0, above)

"""Laws of rank statistics where two models are equal: of signed ranks and of rank sums, exact for few matrices.

Wilcoxon, Biometrics Bulletin 1 (1945), 80–83, for both statistics; Lehmann, "Nonparametrics" (1975), appendix, for
their variances with ties.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce
from math import sqrt
from statistics import NormalDist

import numpy as np

#: Up to so many pairs of matrices the law of their signed ranks is enumerated.
EXACT_PAIRS = 100
#: Up to so many comparisons of a matrix with one of the other model the law of their rank sums is.
EXACT_COMPARISONS = 1000

_NORMAL = NormalDist()


@dataclass(frozen=True)
class NullLaw:
    """The law of a statistic that takes whole numbers from 0 on.

    Attributes:
        probabilities: of 0, 1, 2, …; `None` where only the mean and the variance are known, for a normal law.
        mean: the mean.
        variance: the variance.
    """

    probabilities: np.ndarray | None
    mean: float
    variance: float

    def at_most(self, value: float) -> float:
        """The probability of a value or less; of a normal law with a correction for continuity."""
        if self.probabilities is not None:
            return float(self.probabilities[: round(value) + 1].sum())
        return self._normal(value + 0.5 - self.mean)

    def at_least(self, value: float) -> float:
        """The probability of a value or more."""
        if self.probabilities is not None:
            return float(self.probabilities[round(value) :].sum())
        return self._normal(self.mean - value + 0.5)

    def p_value(self, value: float) -> float:
        """The two-sided p-value of an observed value."""
        return min(1.0, 2 * min(self.at_most(value), self.at_least(value)))

    def largest_in_tail(self, share: float) -> int:
        """The largest value whose lower tail has at most this probability; −1 if not even 0 has."""
        if self.probabilities is not None:
            return int(np.searchsorted(np.cumsum(self.probabilities), share * (1 + 1e-12), "right")) - 1
        found = self.mean - 0.5 + _NORMAL.inv_cdf(share) * sqrt(self.variance)
        return max(int(found // 1), -1)

    def _normal(self, distance: float) -> float:
        return _NORMAL.cdf(distance / sqrt(self.variance)) if self.variance > 0 else 1.0


def signed_rank_law(ranks: np.ndarray) -> NullLaw:
    """The law of the sum of the positive ranks, where each has either sign with probability ½.

    Args:
        ranks: whole numbers, or ranks with ties times 2.
    """
    weights = np.asarray(ranks, dtype=np.int64)
    mean, variance = float(weights.sum()) / 2, float((weights**2).sum()) / 4
    if weights.size > EXACT_PAIRS:
        return NullLaw(None, mean, variance)
    found = np.ones(1)
    for weight in weights:
        longer = np.zeros(found.size + weight)
        longer[: found.size] = found / 2
        longer[weight:] += found / 2
        found = longer
    return NullLaw(found, mean, variance)


@lru_cache(maxsize=256)
def untied_signed_rank_law(count: int) -> NullLaw:
    """The law of the sum of the positive ones among the ranks 1 to `count`."""
    return signed_rank_law(np.arange(1, count + 1))


def rank_sum_law(strata: Sequence[tuple[np.ndarray, int]]) -> NullLaw:
    """The law of a sum of rank sums, each reduced by the smallest that it can be.

    Args:
        strata: of each role the ranks of both models' matrices, as whole numbers or times 2, and how many of the
            matrices are the first model's.
    """
    comparisons = sum(first * (ranks.size - first) for ranks, first in strata)
    mean = sum(first * float(ranks.mean()) - float(np.sort(ranks)[:first].sum()) for ranks, first in strata)
    variance = sum(
        first * (ranks.size - first) / (ranks.size * (ranks.size - 1.0)) * float(((ranks - ranks.mean()) ** 2).sum())
        for ranks, first in strata
    )
    if comparisons > EXACT_COMPARISONS:
        return NullLaw(None, mean, variance)
    return NullLaw(reduce(np.convolve, (_sums(ranks, first) for ranks, first in strata)), mean, variance)


@lru_cache(maxsize=256)
def untied_rank_sum_law(sizes: tuple[tuple[int, int], ...]) -> NullLaw:
    """The law without ties, for the numbers of the first and the second model's matrices of each role."""
    return rank_sum_law([(np.arange(1, first + second + 1), first) for first, second in sizes])


def _sums(ranks: np.ndarray, count: int) -> np.ndarray:
    """Probabilities of the sums of `count` of the ranks, from the smallest sum on."""
    ordered = np.sort(ranks).astype(np.int64)
    if 2 * count > ordered.size:
        # What is left out has the sums in reverse, and is fewer.
        return _sums(ordered, ordered.size - count)[::-1]
    weights = ordered - ordered[0]
    largest = int(weights[weights.size - count :].sum())
    ways = np.zeros((count + 1, largest + 1))
    ways[0, 0] = 1
    for weight in weights:
        kept = max(largest + 1 - int(weight), 0)
        if kept:
            ways[1:, int(weight) :] += ways[:-1, :kept].copy()
    found = ways[count, int(weights[:count].sum()) :]
    probabilities: np.ndarray = found / found.sum()
    return probabilities

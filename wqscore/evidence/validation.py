"""Judge odds on families that they were not learned from."""

from __future__ import annotations

from dataclasses import dataclass
from math import log, nan, sqrt

import numpy as np

from wqscore.evidence.odds import family_weights, fit, log_losses

#: The log-loss of a coin.
COIN = log(2)
#: A standard error over fewer families says little, and nothing is called informative.
MIN_FAMILIES = 5
_RESAMPLES = 2000
#: The bins of odds end here; the last one at 1.
_BINS = (0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True)
class LogLoss:
    """The log-loss of decisions in families left out, families weighted alike.

    Attributes:
        mean: mean over families of a family's mean; NaN with fewer than two families.
        error: its standard error over families.
    """

    mean: float
    error: float

    @property
    def beats_the_coin(self) -> bool:
        """Whether it is below ln 2 by more than two standard errors."""
        return COIN - self.mean > 2 * self.error


def left_out_losses(features: np.ndarray, of: np.ndarray) -> np.ndarray:
    """The log-loss of each decision, by odds learned without any decision of its families.

    Args:
        features: gaps, of shape (decisions, features).
        of: families of each decision, of shape (decisions, 2).

    Returns:
        An array of shape (decisions, 2): a column for each of the two families left out. NaN where nothing is left
        to learn from.
    """
    losses = np.full(of.shape, nan)
    start = fit(features, family_weights(of))
    for family in np.unique(of):
        inside = of == family
        rest = ~inside.any(axis=1)
        if rest.any():
            slopes = fit(features[rest], family_weights(of[rest]), start=start)
            here = inside.any(axis=1)
            losses[here] = np.where(inside[here], log_losses(features[here], slopes)[:, None], losses[here])
    return losses


def log_loss(losses: np.ndarray, of: np.ndarray) -> LogLoss:
    """The mean over families of the losses of decisions in them, and its standard error."""
    means = np.array([losses[of == family].mean() for family in np.unique(of)])
    if len(means) < 2 or np.isnan(means).any():
        return LogLoss(nan, nan)
    return LogLoss(float(means.mean()), float(means.std(ddof=1) / sqrt(len(means))))


@dataclass(frozen=True)
class Agreement:
    """How often the better model has the better value, over all decisions.

    Attributes:
        share: of the decisions.
        lo: lower end of the 95 % interval; families, not decisions, are drawn again.
        hi: its upper end.
    """

    share: float
    lo: float
    hi: float


def agreement(gaps: np.ndarray, of: np.ndarray) -> Agreement:
    """The share of gaps above 0, with an interval from resampled families (seed 0)."""
    if not len(gaps):
        return Agreement(nan, nan, nan)
    names, numbers = np.unique(of, return_inverse=True)
    numbers = numbers.reshape(of.shape)
    right = np.bincount(numbers.ravel(), np.repeat(gaps > 0, 2), len(names))
    all_of = np.bincount(numbers.ravel(), minlength=len(names))
    share = float((gaps > 0).mean())
    if len(names) < 2:
        return Agreement(share, nan, nan)
    drawn = np.random.default_rng(0).integers(len(names), size=(_RESAMPLES, len(names)))
    shares = right[drawn].sum(axis=1) / all_of[drawn].sum(axis=1)
    lo, hi = np.quantile(shares, (0.025, 0.975))
    return Agreement(share, float(lo), float(hi))


@dataclass(frozen=True)
class Bin:
    """Decisions whose odds were predicted alike.

    Attributes:
        predicted: mean of the predicted odds, families weighted alike.
        observed: share that came true, families weighted alike.
        lo: lower end of the 95 % interval of `observed`, from the spread over families.
        hi: its upper end.
        pairs: number of decisions.
        families: number of families.
    """

    predicted: float
    observed: float
    lo: float
    hi: float
    pairs: int
    families: int

    @property
    def is_off(self) -> bool:
        """Whether what was predicted lies outside the interval of what was observed."""
        return not self.lo <= self.predicted <= self.hi


def calibration(losses: np.ndarray, of: np.ndarray) -> list[Bin]:
    """Predicted odds of families left out against what came true, in five bins from 0.5 to 1.

    Each decision is looked at from the side that the odds favour: neither model of it is the first one.

    Args:
        losses: as `left_out_losses` returns them.
        of: families of each decision.
    """
    # A decision inside a family has the same family, and loss, twice.
    once = np.isfinite(losses) & np.column_stack([np.full(len(of), True), of[:, 0] != of[:, 1]])
    odds, families = np.exp(-losses[once]), of[once]
    favoured, true = np.maximum(odds, 1 - odds), odds >= 0.5
    place = np.digitize(favoured, _BINS)
    return [_bin(favoured[place == each], true[place == each], families[place == each]) for each in np.unique(place)]


def _bin(odds: np.ndarray, true: np.ndarray, families: np.ndarray) -> Bin:
    numbers = np.unique(families, return_inverse=True)[1]
    counts = np.bincount(numbers)
    observed = np.bincount(numbers, true) / counts
    mean = float(observed.mean())
    lo, hi = _interval_of_mean(observed)
    return Bin(float((np.bincount(numbers, odds) / counts).mean()), mean, lo, hi, len(odds), len(counts))


def _interval_of_mean(shares: np.ndarray) -> tuple[float, float]:
    """The 95 % interval of the mean of shares, one of each family.

    Student's; where all families have the same share, that of n successes in n trials (Clopper and Pearson 1934).
    """
    n, mean = len(shares), float(shares.mean())
    if n < 2:
        return 0.0, 1.0
    if np.ptp(shares) == 0:
        least = 0.025 ** (1 / n)
        return min(mean, least) if mean == 1 else mean * least, max(mean, 1 - least) if mean == 0 else 1.0
    width = _student(n - 1) * float(shares.std(ddof=1)) / sqrt(n)
    return max(0.0, mean - width), min(1.0, mean + width)


def _student(freedom: int) -> float:
    """The 97.5 % point of Student's t (Abramowitz and Stegun 26.7.5); exact to 2 % from three degrees on.

    Example:
        >>> [round(_student(freedom), 2) for freedom in (3, 10, 38)]
        [3.16, 2.23, 2.02]
    """
    z = 1.959964
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3

"""Judge odds on families that they were not learned from."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import log, nan, sqrt

import numpy as np

from wqscore.evidence.odds import family_weights, fit, log_losses

#: The log-loss of a coin.
COIN = log(2)
#: A standard error over fewer families says little, and nothing is called informative.
MIN_FAMILIES = 5
_RESAMPLES = 2000
_BINS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


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
        lo: lower end of the 95 % interval of `observed`; families are drawn again.
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


def calibration(losses: np.ndarray, of: np.ndarray) -> list[Bin]:
    """Predicted odds of families left out against what was observed, in five bins.

    Each decision is looked at from both sides, as "A over B" and "B over A", since neither has a first model; the
    bins below one half therefore mirror those above, and only the odds of what happened are needed.

    Args:
        losses: as `left_out_losses` returns them.
        of: families of each decision.
    """
    # A decision inside a family has the same family, and loss, twice.
    once = np.isfinite(losses) & np.column_stack([np.full(len(of), True), of[:, 0] != of[:, 1]])
    odds, families = np.exp(-losses[once]), of[once]
    both = np.concatenate([odds, 1 - odds])
    true = np.concatenate([np.ones(len(odds)), np.zeros(len(odds))])
    twice = np.concatenate([families, families])
    bins = []
    for low, high in pairwise(_BINS):
        inside = (both >= low) & ((both < high) | (high == 1))
        if inside.any():
            bins.append(_bin(both[inside], true[inside], twice[inside]))
    return bins


def _bin(odds: np.ndarray, true: np.ndarray, families: np.ndarray) -> Bin:
    names, numbers = np.unique(families, return_inverse=True)
    counts = np.bincount(numbers)
    predicted, observed = np.bincount(numbers, odds) / counts, np.bincount(numbers, true) / counts
    drawn = np.random.default_rng(0).integers(len(names), size=(_RESAMPLES, len(names)))
    lo, hi = np.quantile(observed[drawn].mean(axis=1), (0.025, 0.975))
    return Bin(float(predicted.mean()), float(observed.mean()), float(lo), float(hi), len(odds), len(names))

"""Random draws until an answer is beyond doubt: with more of them the seed decides less, and in the end nothing.

Each answer is `None` where the draws leave it open. A wrong answer is as rare as `DOUBT`, however often one looks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import comb, lgamma, log, log1p, sqrt
from statistics import NormalDist, fmean, stdev

#: The probability of a wrong answer.
DOUBT = 1e-4
_REACH = NormalDist().inv_cdf(1 - DOUBT)
#: Fewer values have no spread worth the name.
_FEWEST = 3


@dataclass(frozen=True)
class Share:
    """How many of some draws had a property, and on which side of a limit that puts their probability.

    Attributes:
        hits: those with it.
        draws: all of them.
        above: whether the probability is above the limit; `None` where that is open.
    """

    hits: int
    draws: int
    above: bool | None

    @property
    def value(self) -> float:
        """(1 + hits)/(1 + draws): what was seen counts as one of the draws."""
        return (1 + self.hits) / (1 + self.draws)


def settle_share(draws: Iterable[bool], limit: float) -> Share:
    """Draw until the probability of a hit is clearly above or below a limit.

    The likelihood of the draws, averaged over Jeffreys' prior of the probability, divided by that at the limit is a
    martingale if the limit is the probability: it ever reaches 1/DOUBT with probability DOUBT at most.

    Source: Ville, Étude critique de la notion de collectif (1939); Robbins, Ann. Math. Statist. 41:1397 (1970).

    Args:
        draws: independent; as many as there may be.
        limit: between 0 and 1, both excluded.

    Example:
        >>> settle_share([False] * 1000, limit=0.1)
        Share(hits=0, draws=116, above=False)
    """
    hits = count = 0
    for hit in draws:
        hits, count = hits + hit, count + 1
        misses = count - hits
        mixture = lgamma(hits + 0.5) + lgamma(misses + 0.5) - lgamma(count + 1) - 2 * lgamma(0.5)
        if mixture - hits * log(limit) - misses * log1p(-limit) >= -log(DOUBT):
            return Share(hits, count, hits > limit * count)
    return Share(hits, count, None)


def settle_sign(values: Iterable[float], least_deviation: float) -> bool | None:
    """Draw until the mean is clearly above 0 (`True`) or below (`False`).

    Args:
        values: independent, all finite; as many as there may be.
        least_deviation: what their standard deviation is at least; that of a few draws may be smaller.
    """
    seen: list[float] = []
    for value in values:
        seen.append(value)
        if len(seen) >= _FEWEST:
            deviation = max(stdev(seen), least_deviation)
            # Of few draws the deviation is uncertain, and their mean over it has heavy tails.
            if abs(fmean(seen)) > _REACH * deviation / sqrt(len(seen)) * (1 + 4 / len(seen)):
                return fmean(seen) > 0
    return None


def settle_reach(value: float, draws: Iterable[float], most: float, least_deviation: float) -> bool | None:
    """Draw until a value is clearly within (`True`) or beyond (`False`) what draws reach.

    Within is at most so many standard deviations above their mean, and clearly so once more draws reach the value
    than would if that had one chance in a thousand.

    Args:
        value: what is compared with the draws.
        draws: independent, all finite; as many as there may be.
        most: how many standard deviations above the mean are within reach.
        least_deviation: as for `settle_sign`.
    """
    seen: list[float] = []
    for draw in draws:
        seen.append(draw)
        count = len(seen)
        reached = sum(other >= value for other in seen)
        if reached > 1 and comb(count, reached) * 1e-3**reached < DOUBT:
            return True
        if count > _FEWEST:
            height = (value - fmean(seen)) / max(stdev(seen), least_deviation)
            doubt = _REACH * sqrt(1 / count + height**2 / (2 * (count - 1)))
            if abs(height - most) > doubt:
                return height < most
    return None

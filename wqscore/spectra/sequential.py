"""Random draws until an answer is beyond doubt: with more of them the seed decides less, and in the end nothing.

Each answer is `None` where the draws leave it open. A wrong answer is as rare as `DOUBT`, however often one looks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import lgamma, log, log1p

#: The probability of a wrong answer.
DOUBT = 1e-4


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

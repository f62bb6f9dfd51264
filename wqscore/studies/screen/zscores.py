"""How far a value is from others, in robust standard deviations, and how far chance puts one of many.

Iglewicz & Hoaglin, "How to detect and handle outliers" (1993): (x − median)/(1.4826·MAD), which one outlier among the
others hardly moves.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from wqscore.studies.screen.statistics import STATISTICS

#: Fewer others have no spread to speak of.
MIN_OTHERS = 6
#: The share of adapters of normal siblings that have one module beyond the limit.
ALARMS = 0.01
_TO_DEVIATION = 1.4826
#: The spread is at least this share of the median: what differs by less is rounding.
_LEAST = 1e-6
_DRAWS, _MOST_NUMBERS = 2_000, 20_000_000


def z_scores(values: np.ndarray) -> np.ndarray:
    """How far each value is from the median of all; NaN where all are 0.

    Args:
        values: shape (…, n), finite.
    """
    median, spread = _centre(values)
    with np.errstate(divide="ignore", invalid="ignore"):
        found: np.ndarray = (values - median) / spread
    return found


def z_against(value: float, others: Sequence[float]) -> float:
    """How far a value is from the median of others; NaN for fewer than 6, and where all are 0."""
    if len(others) < MIN_OTHERS:
        return float("nan")
    median, spread = _centre(np.array(others))
    return float((value - median.item()) / spread.item()) if spread.item() > 0 else float("nan")


@cache
def sibling_limit(sizes: tuple[int, ...], seed: int) -> float:
    """The |z| that one in a hundred adapters has somewhere, if all siblings are independent and normal.

    Args:
        sizes: of the groups of siblings, each at least 6; NaN without any.
        seed: of the draws.
    """
    if not sizes:
        return float("nan")
    rng = np.random.default_rng([seed, 1])
    draws = _draws(sum(sizes))
    largest = np.zeros(draws)
    for size in sizes:
        drawn = np.abs(z_scores(rng.standard_normal((draws, len(STATISTICS), size))))
        largest = np.maximum(largest, drawn.max(axis=(1, 2)))
    return float(np.quantile(largest, 1 - ALARMS))


@cache
def bank_limit(sizes: tuple[int, ...], seed: int) -> float:
    """The same for an adapter against others: each module against as many of its name.

    Args:
        sizes: for each module how many others there are, each at least 6; NaN without any.
        seed: of the draws.
    """
    if not sizes:
        return float("nan")
    rng = np.random.default_rng([seed, 2])
    draws = _draws(sum(sizes))
    largest = np.zeros(draws)
    for size in sizes:
        others, own = (
            rng.standard_normal((draws, len(STATISTICS), size)),
            rng.standard_normal((draws, len(STATISTICS))),
        )
        median, spread = _centre(others)
        largest = np.maximum(largest, np.abs((own - median[..., 0]) / spread[..., 0]).max(axis=1))
    return float(np.quantile(largest, 1 - ALARMS))


def _draws(numbers: int) -> int:
    return max(300, min(_DRAWS, _MOST_NUMBERS // (numbers * len(STATISTICS))))


def _centre(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Median and robust standard deviation over the last axis, which is kept."""
    median = np.median(values, axis=-1, keepdims=True)
    spread = _TO_DEVIATION * np.median(np.abs(values - median), axis=-1, keepdims=True)
    return median, np.maximum(spread, _LEAST * np.abs(median))

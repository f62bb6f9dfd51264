"""The three thresholds that bound the phases: given, from 2-means, or medians."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Literal

import numpy as np

from wqscore.errors import UsageError

Rule = Literal["2means", "median"]
#: The sum of so many cells as a grid has does not overflow below this.
_MOST = 1e300
#: Rounds of 2-means; on a line it settles in far fewer.
_ROUNDS = 100


@dataclass(frozen=True)
class Thresholds:
    """The bounds of the phases.

    Attributes:
        rule: where they come from: `2means`, `median` or `given`.
        sharp: the logarithm of the Hessian's largest eigenvalue from which on a minimum is sharp.
        barrier: mode connectivity within ± this is connected; positive.
        similar: CKA above this is similar.
    """

    rule: str
    sharp: float
    barrier: float
    similar: float

    def __post_init__(self) -> None:
        """Check the bounds.

        Raises:
            UsageError: one is not finite, or the barrier is not positive.
        """
        if not all(map(isfinite, (self.sharp, self.barrier, self.similar))):
            raise UsageError("a threshold is not a finite number: give --sharp, --barrier and --similar")
        if self.barrier <= 0:
            raise UsageError(f"the barrier is {self.barrier:g}: give a positive one with --barrier")


def find_thresholds(rule: Rule, top: np.ndarray, connectivity: np.ndarray, similarity: np.ndarray) -> Thresholds:
    """Derive the thresholds from the cells that have all three numbers.

    Args:
        rule: `2means` of top, −|connectivity| and similarity; or the medians of top, |connectivity| and similarity.
        top: logarithm of the Hessian's largest eigenvalue, shape (n,).
        connectivity: mode connectivity, shape (n,).
        similarity: CKA, shape (n,).

    Raises:
        UsageError: there is no such rule, or the cells don't differ in one of the numbers.
    """
    if rule == "median":
        return Thresholds(rule, *(float(np.median(each)) for each in (top, np.abs(connectivity), similarity)))
    if rule != "2means":
        raise UsageError(f"no such rule {rule!r}: choose from 2means, median")
    sharp, depth, similar = (two_means(each) for each in (top, -np.abs(connectivity), similarity))
    return Thresholds(rule, sharp, -depth, similar)


def two_means(values: np.ndarray) -> float:
    """The middle between the centres of two clusters on a line, which start at the least and the largest value.

    Args:
        values: finite, shape (n,).

    Raises:
        UsageError: all values are equal, or one is too large to add up.

    Example:
        >>> two_means(np.array([0.0, 1.0, 9.0, 10.0]))
        5.0
    """
    low, high = float(values.min()), float(values.max())
    if low == high:
        raise UsageError(f"every cell has the value {low:g}: give --sharp, --barrier and --similar")
    if max(abs(low), abs(high)) > _MOST:
        raise UsageError(f"a cell has the value {max(low, high, key=abs):g}, too large for 2-means: correct it")
    for _ in range(_ROUNDS):
        nearer_low = np.abs(values - low) <= np.abs(values - high)
        low, high = float(values[nearer_low].mean()), float(values[~nearer_low].mean())
    return (low + high) / 2

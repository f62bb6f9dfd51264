"""Which matrices to train: the share of each role with the strongest signal, beside two plans without a metric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wqscore.errors import UsageError


@dataclass(frozen=True)
class Chosen:
    """Plans of the same size within each role, 1 for a matrix to train and 0 for one to freeze, shape (matrices,).

    Attributes:
        value: those with the largest metric; evenly over depth where all are equal.
        uniform: evenly over depth.
        linear: the deepest.
    """

    value: np.ndarray
    uniform: np.ndarray
    linear: np.ndarray


def choose_matrices(metric: np.ndarray, roles: Sequence[str], share: float) -> Chosen:
    """Choose a share of each role's matrices, at least one of each; in ties the shallower first.

    Args:
        metric: finite, shape (matrices,), in order of depth.
        roles: the role of each.
        share: the share to train, above 0, at most 1.

    Raises:
        UsageError: the share is out of its range.

    Example:
        >>> choose_matrices(np.array([1.0, 3.0, 2.0, 0.0]), ["q"] * 4, 0.5).value.tolist()
        [0, 1, 1, 0]
    """
    if not 0 < share <= 1:
        raise UsageError(f"the share to train is {share:g}: give --total from above 0 to 1")
    value, uniform, linear = (np.zeros(metric.size, dtype=int) for _ in range(3))
    for role in dict.fromkeys(roles):
        members = np.flatnonzero([each == role for each in roles])
        count = max(1, round(share * members.size))
        even = members[(2 * np.arange(count) + 1) * members.size // (2 * count)]
        uniform[even] = 1
        linear[members[-count:]] = 1
        largest = members[np.argsort(-metric[members], kind="stable")[:count]]
        value[even if np.ptp(metric[members]) == 0 else largest] = 1
    return Chosen(value, uniform, linear)

"""Holm's correction of p-values for how many there are."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan

import numpy as np


def holm(values: Sequence[float]) -> list[float]:
    """Correct p-values, so that of true null hypotheses any is rejected with at most the level's probability.

    Holm, Scand. J. Statist. 6 (1979), 65–70; valid however the tests depend on each other.

    Args:
        values: p-values; NaN counts as 1.

    Returns:
        The corrected p-values, in the same order.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    known = np.array([1.0 if isnan(value) else value for value in values])
    order = np.argsort(known, kind="stable")
    corrected = np.empty(known.size)
    corrected[order] = np.minimum(np.maximum.accumulate(known[order] * np.arange(known.size, 0, -1)), 1.0)
    return corrected.tolist()

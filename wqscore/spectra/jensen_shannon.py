"""The Jensen–Shannon distance of two spectra."""

from __future__ import annotations

from math import sqrt

import numpy as np


def jensen_shannon_distance(eigenvalues: np.ndarray, others: np.ndarray) -> float:
    """Return √(½KL(p‖m) + ½KL(q‖m)) with m = (p + q)/2, natural log, between 0 and √ln 2.

    p and q are the two sorted eigenvalue vectors, each divided by its sum and compared rank by rank, as
    WeightWatcher does (`RMT_Util.jensen_shannon_distance`): it is not a distance between two densities.

    Args:
        eigenvalues: ascending, not all 0.
        others: the same number, ascending, not all 0.

    Example:
        >>> round(jensen_shannon_distance(np.array([0.0, 1.0]), np.array([1.0, 1.0])), 6)
        0.464501
    """
    p, q = (values / values[-1] for values in (eigenvalues, others))
    p, q = p / p.sum(), q / q.sum()
    divergence = (_relative_entropy(p, p + q) + _relative_entropy(q, p + q)) / 2
    return sqrt(max(divergence, 0.0))


def _relative_entropy(p: np.ndarray, both: np.ndarray) -> float:
    """Σ p ln(p/m) with m = both/2 and 0 ln 0 = 0."""
    positive = p > 0
    return float(np.sum(p[positive] * np.log(2 * p[positive] / both[positive])))

"""Intervals of means and of correlations over seeds."""

from __future__ import annotations

import numpy as np


def interval(values: np.ndarray) -> tuple[float, float, float]:
    """Mean and 95 % interval by Student's t."""
    from scipy.stats import t as student

    margin = float(student.ppf(0.975, len(values) - 1)) * float(values.std(ddof=1)) / len(values) ** 0.5
    mean = float(values.mean())
    return mean, mean - margin, mean + margin


def correlation(
    x: np.ndarray, y: np.ndarray, spearman: bool = False, draws: int = 2000
) -> tuple[float, float, float]:
    """Pearson's or Spearman's correlation, with its 95 % interval by resampling pairs."""
    from scipy.stats import rankdata

    rng = np.random.default_rng(0)

    def of(rows: np.ndarray) -> float:
        a, b = (rankdata(each[rows]) if spearman else each[rows] for each in (x, y))
        return float(np.corrcoef(a, b)[0, 1])

    drawn = [of(rng.integers(0, len(x), len(x))) for _ in range(draws)]
    low, high = np.nanquantile(drawn, (0.025, 0.975))
    return of(np.arange(len(x))), float(low), float(high)

"""Intervals of means and of correlations over seeds."""

from __future__ import annotations

import numpy as np

_DRAWS = 2000


def interval(values: np.ndarray) -> tuple[float, float, float]:
    """Mean and 95 % interval by Student's t."""
    from scipy.stats import t as student

    margin = float(student.ppf(0.975, len(values) - 1)) * float(values.std(ddof=1)) / len(values) ** 0.5
    mean = float(values.mean())
    return mean, mean - margin, mean + margin


def correlation(
    x: np.ndarray, y: np.ndarray, spearman: bool = False, draws: int = _DRAWS
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


def correlation_within(x: np.ndarray, y: np.ndarray, groups: np.ndarray) -> tuple[float, float, float]:
    """Spearman's correlation of what differs inside groups, with its 95 % interval by resampling pairs inside each.

    Ranks are taken in each group, and less their mean; a larger group counts more.

    Args:
        x: shape (n,).
        y: shape (n,).
        groups: shape (n,), of each pair the group's name.
    """
    from scipy.stats import rankdata

    rng = np.random.default_rng(0)
    members = [np.flatnonzero(groups == name) for name in dict.fromkeys(groups)]

    def of(rows: list[np.ndarray]) -> float:
        a, b = (np.concatenate([_centred(rankdata(each[row])) for row in rows]) for each in (x, y))
        size = float(np.linalg.norm(a) * np.linalg.norm(b))
        return float(a @ b) / size if size else float("nan")

    drawn = [of([rng.choice(row, len(row)) for row in members]) for _ in range(_DRAWS)]
    low, high = np.nanquantile(drawn, (0.025, 0.975))
    return of(members), float(low), float(high)


def correlation_given(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> tuple[float, float, float]:
    """Spearman's partial correlation given z, with its 95 % interval by resampling rows."""
    from scipy.stats import rankdata

    rng = np.random.default_rng(0)

    def of(rows: np.ndarray) -> float:
        a, b, c = (_centred(rankdata(each[rows])) for each in (x, y, z))
        left, right = (each - c * float(each @ c) / float(c @ c) for each in (a, b))
        size = float(np.linalg.norm(left) * np.linalg.norm(right))
        return float(left @ right) / size if size > 1e-9 * len(rows) ** 3 else float("nan")

    drawn = [of(rng.integers(0, len(x), len(x))) for _ in range(_DRAWS)]
    low, high = np.nanquantile(drawn, (0.025, 0.975))
    return of(np.arange(len(x))), float(low), float(high)


def _centred(values: np.ndarray) -> np.ndarray:
    centred: np.ndarray = values - values.mean()
    return centred

"""What theory says of the eigenvalues of independent entries: where they lie, and how far they stray from there.

With λ = σ²M(1 + r² + 2r·cos θ) and r = √(N/M), the density of the angles θ is N times that of the law of Marchenko
& Pastur; real entries add (δ_0 + δ_π)/4 − 1/(2π), and excess kurtosis κ adds (κ/π)·cos 2θ. About that, Σ cos kθ has
the variance k/2 for every k ≥ 2, whatever the law of the entries. (k = 1 is the trace.)

Source: Bai & Silverstein, Annals of Probability 32:553 (2004), theorem 1.1; Zheng, Annales de l'Institut Henri
Poincaré B 48:444 (2012), for the kurtosis; Johnstone, Annals of Statistics 29:295 (2001), for the largest eigenvalue.
"""

from __future__ import annotations

from functools import lru_cache
from math import exp, log, pi, sqrt

import numpy as np

from wqscore.spectra.marchenko_pastur import TRACY_WIDOM_999

_ANGLES = 4096
#: Σ 1/k over k from 2 up to the shortest wave that a spectrum has, less ln N: measured on noise of 16 to 1,024.
_WAVES = -1.2
_FEWEST_WAVES = 1.0


def expected_eigenvalues(rows: int, columns: int, slices: int, kurtosis: float) -> np.ndarray:
    """Return where the eigenvalues of independent entries of variance 1 lie, ascending, those of all slices pooled.

    Args:
        rows: rows of W (of one slice).
        columns: columns of W (of one slice).
        slices: matrices pooled.
        kurtosis: the entries' excess kurtosis.

    Example:
        >>> expected_eigenvalues(400, 100, 1, 0.0)[[0, 99]].round().tolist()
        [104.0, 880.0]
    """
    small, large = sorted((rows, columns))
    angles, of_law, waves = _counts(small / large)
    above = small * of_law + 0.25 - angles / (2 * pi) + kurtosis * waves / (2 * pi)
    places = (np.arange(slices * small) + 0.5) / slices
    ratio = sqrt(small / large)
    found = np.interp(places, np.maximum.accumulate(above), angles)
    eigenvalues: np.ndarray = large * (1 + ratio**2 + 2 * ratio * np.cos(found[::-1]))
    return eigenvalues


@lru_cache(maxsize=64)
def _counts(share: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Angles θ from 0 to π, the share of the Marchenko–Pastur law's eigenvalues below each, and sin 2θ; N/M given."""
    ratio, angles = sqrt(share), np.linspace(0.0, pi, _ANGLES + 1)
    middles = (angles[:-1] + angles[1:]) / 2
    density = np.sin(middles) ** 2 / (1 + share + 2 * ratio * np.cos(middles))
    below = np.concatenate(([0.0], np.cumsum(density)))
    return angles, below / below[-1], np.sin(2 * angles)


def expected_distance(rows: int, columns: int, slices: int, kurtosis: float) -> float:
    """Return the mean squared Jensen–Shannon distance of noise from where its eigenvalues are expected.

    (Σ 1/k)/(4·NM·slices), the sum over the waves that a spectrum of N eigenvalues can have. The traces of slices
    vary, by an amount that depends on the kurtosis.
    """
    waves = max(log(min(rows, columns)) + _WAVES, _FEWEST_WAVES)
    traces = (1 + max(kurtosis, -2.0) / 2) * (1 - 1 / slices)
    return (waves + traces) / (4 * rows * columns * slices)


@lru_cache(maxsize=256)
def reach(slices: int) -> float:
    """Return how many Tracy–Widom widths beyond the edge the largest of all slices' eigenvalues is once in 1,000.

    The law's upper tail is exp(−⅔s^1.5)/(4√π·s^0.75).

    Example:
        >>> [round(reach(slices), 2) for slices in (1, 9)]
        [3.27, 4.3]
    """
    low, high = TRACY_WIDOM_999, 40.0
    wanted = _upper_tail(low) / slices
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if _upper_tail(middle) > wanted else (low, middle)
    return low


def _upper_tail(widths: float) -> float:
    return exp(-2 / 3 * widths * sqrt(widths)) / (4 * sqrt(pi) * sqrt(widths * sqrt(widths)))

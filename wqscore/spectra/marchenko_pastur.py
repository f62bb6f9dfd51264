"""The Marchenko–Pastur (MP) law fitted to the bulk of a spectrum, and the spikes beyond its edge.

For W of independent entries of variance σ², M×N with N the smaller side, the eigenvalues of WᵀW fill
σ²(√M ± √N)² as the matrix grows, and the largest fluctuates about the upper edge by the Tracy–Widom law.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import inf, nan, pi, sqrt

import numpy as np

#: 99.9 % point of the Tracy–Widom law for real matrices (β = 1), in widths beyond the edge.
TRACY_WIDOM_999 = 3.27

_ANGLES = 4096


@dataclass(frozen=True)
class MarchenkoPasturFit:
    """The MP law fitted to a bulk. All fields are NaN where there is no bulk above the eigensolver's error.

    Attributes:
        sigma: standard deviation of the bulk's entries, in the weights' unit.
        bulk_max: the bulk's upper edge λ₊ = σ²(√M + √N)², in squared units of the weights.
        num_spikes: eigenvalues beyond the edge and its Tracy–Widom fluctuation, a whole number.
        softrank: λ₊/λ_max; slightly above 1 for noise.
    """

    sigma: float
    bulk_max: float
    num_spikes: float
    softrank: float


def bulk_edge(rows: int, columns: int) -> tuple[float, float]:
    """Return the MP law's upper edge and the Tracy–Widom width of the largest eigenvalue, for entries of variance 1.

    λ₊ = M(1 + 1/√Q)² and w = M·Q^(−1/2)·(1 + 1/√Q)^(4/3)·N^(−2/3) with Q = M/N ≥ 1, which is
    (√M + √N)(1/√M + 1/√N)^(1/3).

    Source: Johnstone, Annals of Statistics 29:295 (2001), theorem 1.1.

    Example:
        >>> bulk_edge(rows=400, columns=100)[0]
        900.0
    """
    small, large = sorted((rows, columns))
    ratio = sqrt(small / large)
    return large * (1 + ratio) ** 2, large * ratio * (1 + ratio) ** (4 / 3) * small ** (-2 / 3)


@lru_cache(maxsize=256)
def median_of_law(ratio: float) -> float:
    """Return the median of the MP law of λ/(σ²M).

    With λ/(σ²M) = 1 + r² + 2r·cos θ the law has the density (2/π)·sin²θ/(1 + r² + 2r·cos θ) in θ on [0, π],
    which is smooth for square matrices too.

    Args:
        ratio: r = 1/√Q = √(N/M), above 0, at most 1.
    """
    angles = np.linspace(0.0, pi, _ANGLES + 1)
    middles = (angles[:-1] + angles[1:]) / 2
    density = np.sin(middles) ** 2 / (1 + ratio**2 + 2 * ratio * np.cos(middles))
    below = np.concatenate(([0.0], np.cumsum(density)))
    return float(1 + ratio**2 + 2 * ratio * np.cos(np.interp(below[-1] / 2, below, angles)))


def fit_marchenko_pastur(eigenvalues: np.ndarray, rows: int, columns: int, slices: int = 1) -> MarchenkoPasturFit:
    """Fit the MP law to a spectrum without its spikes.

    The first σ² makes the medians of spectrum and law equal, so that it is unaffected by large eigenvalues as long as
    they are fewer than half. Then σ² = Σ_bulk λ/((N−k)(M−k)) is iterated until the number of spikes k settles: k
    spikes remove k directions on each side.

    Args:
        eigenvalues: eigenvalues of WᵀW, ascending, those of all slices pooled.
        rows: rows of W (of one slice).
        columns: columns of W (of one slice).
        slices: matrices pooled.
    """
    largest = float(eigenvalues[-1]) if eigenvalues.size else nan
    if not 0 < largest < inf:
        return MarchenkoPasturFit(nan, nan, nan, nan)
    small, large = sorted((rows, columns))
    shares = eigenvalues / largest  # no sum of them overflows
    median = float(np.median(shares))
    if median <= small * float(np.finfo(np.float64).eps):
        return MarchenkoPasturFit(nan, nan, nan, nan)

    edge, width = bulk_edge(rows, columns)
    sums = np.concatenate(([0.0], np.cumsum(shares)))
    variance = median / (large * median_of_law(sqrt(small / large)))
    bulk = 0
    # The bulk can grow for some rounds; once it shrinks it only shrinks, because the eigenvalues that leave it lie
    # above σ²(M + N) and so lower σ². Each phase takes at most as many rounds as there are eigenvalues.
    for _ in range(2 * shares.size):
        before, bulk = bulk, int(np.searchsorted(shares, variance * (edge + TRACY_WIDOM_999 * width), "right"))
        if bulk == before:
            break
        spikes = (shares.size - bulk) / slices
        variance = float(sums[bulk]) / (slices * (small - spikes) * (large - spikes))
    if variance * edge <= small * float(np.finfo(np.float64).eps):  # what is left is the eigensolver's error
        return MarchenkoPasturFit(nan, nan, nan, nan)
    return MarchenkoPasturFit(
        sigma=sqrt(variance) * sqrt(largest),
        bulk_max=variance * edge * largest,
        num_spikes=float(shares.size - bulk),
        softrank=variance * edge,
    )

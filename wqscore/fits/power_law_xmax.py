"""The power-law tail of a spectrum as powerlaw 1.x fits it with xmax = λ_max.

`powerlaw.Fit(λ, xmax=max(λ))`, which WeightWatcher 0.2.7 and the code of Yang et al., KDD 2023 (arXiv 2202.02842)
call, measures D to the law cut off at λ_max, and so may choose another xmin. The exponent is still that of the
unbounded law.
"""

from __future__ import annotations

import math

import numpy as np

from wqscore.fits.ks_kernel import tail_exponent
from wqscore.fits.power_law import PowerLawFit, XminScan
from wqscore.fits.tail import points_above
from wqscore.spectra.jit import compiled


def fit_power_law_xmax(eigenvalues: np.ndarray, floor: float = 0.0) -> PowerLawFit | None:
    """Fit the tail of a spectrum, D taken to the power law on [xmin, λ_max].

    D_i = max over the tail's distinct values of |F(λ)/F(λ_max) − k/m|, F(λ) = 1 − (λ/λ_i)^(1−α_i), k the eigenvalues
    of the tail below λ; α_i as in `fit_power_law`. D is at least 1/m, so that short tails are never chosen.

    Args:
        eigenvalues: ascending, finite, shape (N,).
        floor: only eigenvalues above it take part.

    Returns:
        The fit with the smallest D, at the smallest such xmin, of all distinct values but the last; `None` when
        there are fewer than two.

    Example:
        >>> quantiles = (np.arange(1000) + 0.5) / 1000
        >>> round(fit_power_law_xmax((1 - quantiles) ** (-1 / 2)).alpha, 1)  # Pareto: density exponent 3
        3.0
    """
    points, logs, tail_sums, starts = _prepare(eigenvalues, floor)
    if starts.size < 2:
        return None
    i, alpha, distance = best_start(logs, tail_sums, starts)
    n_tail = points.size - i
    return PowerLawFit(alpha, float(points[i]), distance, (alpha - 1) / n_tail**0.5, n_tail)


def scan_xmin_xmax(eigenvalues: np.ndarray, floor: float = 0.0) -> XminScan:
    """Return α and D at every candidate xmin; arguments as for `fit_power_law_xmax`."""
    points, logs, tail_sums, starts = _prepare(eigenvalues, floor)
    candidates = starts[:-1]
    alphas = np.array([tail_exponent(logs, tail_sums, i) for i in candidates])
    distances = np.array([distance_up_to(logs, starts, k, alpha, math.inf) for k, alpha in enumerate(alphas)])
    return XminScan(points[candidates], alphas, distances)


def _prepare(eigenvalues: np.ndarray, floor: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The points, their logarithms and tail sums as in `ks_kernel`, and the first index of each distinct value."""
    points = points_above(eigenvalues, floor)
    starts = np.flatnonzero(np.diff(points, prepend=0.0) > 0)
    if starts.size == 0:
        return points, points, points, starts
    logs = np.log(points / points[-1])
    return points, logs, np.cumsum(logs[::-1])[::-1].copy(), starts


@compiled
def distance_up_to(logs: np.ndarray, starts: np.ndarray, position: int, alpha: float, bound: float) -> float:
    """D of the tail from `starts[position]` on, or the first gap above the bound; `logs` as in `ks_kernel`."""
    i = starts[position]
    m = logs.size - i
    whole = -math.expm1((alpha - 1) * logs[i])
    largest = 0.0
    for j in starts[position:]:
        below = -math.expm1((1 - alpha) * (logs[j] - logs[i])) / whole
        largest = max(largest, abs(below - (j - i) / m))
        if largest > bound:
            break
    return largest


@compiled
def best_start(logs: np.ndarray, tail_sums: np.ndarray, starts: np.ndarray) -> tuple[int, float, float]:
    """The start with the smallest D, the first where several share it: its index in `logs`, α and D.

    Starts are taken from the right, where tails are short, so that the bound is tight before scans get long.
    """
    best = -1
    best_alpha = 0.0
    best_distance = math.inf
    for position in range(starts.size - 2, -1, -1):
        alpha = tail_exponent(logs, tail_sums, starts[position])
        distance = distance_up_to(logs, starts, position, alpha, best_distance)
        if distance <= best_distance:
            best = starts[position]
            best_alpha = alpha
            best_distance = distance
    return best, best_alpha, best_distance

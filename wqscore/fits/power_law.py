"""The power-law tail of a spectrum: maximum likelihood, with xmin by the smallest KS distance.

Clauset, Shalizi & Newman, "Power-law distributions in empirical data", SIAM Review 51 (2009), eq. 3.1 for α
and section 3.3 for xmin, with the continuous estimator and D of their `plfit.m`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Literal

import numpy as np

from wqscore.fits.ks_kernel import all_distances, best_candidate, tail_distance, tail_exponent
from wqscore.fits.tail import points_above, tail_from, tail_starts

CandidateRule = Literal["tail", "every-point"]


@dataclass(frozen=True)
class PowerLawFit:
    """p(λ) ∝ λ^−alpha for λ ≥ xmin.

    Attributes:
        alpha: the exponent.
        xmin: where the tail begins, an eigenvalue.
        D: the Kolmogorov–Smirnov distance between the tail and the fit, as `plfit.m` defines it.
        sigma: (alpha − 1)/√n_tail, the asymptotic standard error with xmin taken as known.
        n_tail: eigenvalues in the tail.
    """

    alpha: float
    xmin: float
    D: float
    sigma: float
    n_tail: int


@dataclass(frozen=True)
class XminScan:
    """α and D of every candidate xmin: three arrays of one length, xmin ascending."""

    xmin: np.ndarray
    alpha: np.ndarray
    D: np.ndarray


def fit_power_law(
    eigenvalues: np.ndarray, floor: float = 0.0, candidates: CandidateRule = "tail"
) -> PowerLawFit | None:
    """Fit the tail of a spectrum.

    Args:
        eigenvalues: ascending, finite, shape (N,).
        floor: only eigenvalues above it take part.
        candidates: `tail`: the first of each distinct value that leaves at least 10 terms and some extent;
            `every-point`: all points but the last (WeightWatcher, powerlaw 1.5).

    Returns:
        The fit with the smallest D, at the smallest such xmin; `None` when there is no candidate.

    Example:
        >>> quantiles = (np.arange(1000) + 0.5) / 1000
        >>> round(fit_power_law((1 - quantiles) ** (-1 / 2)).alpha, 1)  # Pareto: density exponent 3
        3.0
    """
    points = points_above(eigenvalues, floor)
    return fit_power_law_among(points, _starts(points, candidates))


def fit_power_law_among(points: np.ndarray, starts: np.ndarray) -> PowerLawFit | None:
    """Fit the tail with xmin one of the given eigenvalues.

    Args:
        points: the eigenvalues that take part, as `points_above` returns them.
        starts: indices of the candidates, ascending; those whose tail is all equal are skipped.

    Returns:
        The fit with the smallest D, at the smallest such xmin; `None` when no candidate is left.
    """
    logs, tail_sums, chosen = _prepare(points, starts)
    if chosen.size == 0:
        return None
    i = int(best_candidate(logs, tail_sums, chosen))
    alpha = float(tail_exponent(logs, tail_sums, i))
    n_tail = points.size - i
    return PowerLawFit(
        alpha=alpha,
        xmin=float(points[i]),
        D=float(tail_distance(logs, i, alpha)),
        sigma=(alpha - 1) / n_tail**0.5,
        n_tail=n_tail,
    )


def fit_power_law_at(eigenvalues: np.ndarray, floor: float, xmin: float) -> PowerLawFit | None:
    """Fit the tail that begins at a given xmin, which need not be an eigenvalue; `None` as for `tail_from`."""
    tail = tail_from(eigenvalues, floor, xmin)
    if tail is None:
        return None
    logs = np.log(tail / xmin)
    alpha = float(1 + 1 / logs.mean())
    distances = np.abs(-np.expm1((1 - alpha) * logs) - np.arange(tail.size) / tail.size)
    return PowerLawFit(alpha, float(xmin), float(distances.max()), (alpha - 1) / tail.size**0.5, tail.size)


def log_likelihood(fit: PowerLawFit, eigenvalues: np.ndarray) -> float:
    """Return Σ ln p(λ) over the eigenvalues ≥ xmin, p = (alpha − 1)/xmin · (λ/xmin)^−alpha."""
    tail = eigenvalues[eigenvalues >= fit.xmin]
    log_density = np.log(fit.alpha - 1) - np.log(fit.xmin) - fit.alpha * np.log(tail / fit.xmin)
    return float(log_density.sum())


def scan_xmin(
    eigenvalues: np.ndarray,
    floor: float = 0.0,
    candidates: CandidateRule = "tail",
    *,
    bound: float = inf,
) -> XminScan:
    """Return α and D at every candidate xmin.

    Args:
        eigenvalues: as for `fit_power_law`.
        floor: as for `fit_power_law`.
        candidates: as for `fit_power_law`.
        bound: a D above it may be returned as any value above it, which is far faster.
    """
    points = points_above(eigenvalues, floor)
    logs, tail_sums, chosen = _prepare(points, _starts(points, candidates))
    alphas, distances = all_distances(logs, tail_sums, chosen, bound)
    return XminScan(points[chosen], alphas, distances)


def sketch_xmin(
    eigenvalues: np.ndarray,
    floor: float,
    most: int,
    fit: PowerLawFit | None,
    candidates: CandidateRule = "tail",
) -> XminScan:
    """Return α and D at evenly spread candidates for xmin, and at the one with the smallest D.

    Where a fit tells which that is, nothing compiled is needed, which takes longer to load than this takes.

    Args:
        eigenvalues: as for `fit_power_law`.
        floor: as for `fit_power_law`.
        most: the largest number of candidates beside the best, as for `spread`.
        fit: the best, by the same candidates; `None` where it is not known.
        candidates: as for `fit_power_law`.
    """
    points = points_above(eigenvalues, floor)
    logs, tail_sums, chosen = _prepare(points, _starts(points, candidates))
    if chosen.size == 0:
        return XminScan(np.empty(0), np.empty(0), np.empty(0))
    best = points.size - fit.n_tail if fit else -1
    if fit is None or best not in chosen or points[best] != fit.xmin:
        best = int(best_candidate(logs, tail_sums, chosen))
    kept = chosen[spread(chosen.size, most, int(np.searchsorted(chosen, best)))]
    m = points.size - kept
    alphas = 1 + m / (tail_sums[kept] - m * logs[kept])
    distances = [_distance(logs[i:] - logs[i], alpha) for i, alpha in zip(kept, alphas, strict=True)]
    return XminScan(points[kept], alphas, np.array(distances))


def _distance(logs: np.ndarray, alpha: float) -> float:
    """D of a tail, as `tail_distance` computes it; `logs` are ln(λ/xmin)."""
    return float(np.abs(1 - np.exp((1 - alpha) * logs) - np.arange(logs.size) / logs.size).max())


def spread(count: int, most: int, best: int) -> np.ndarray:
    """Return the indices of at most `most` evenly spread candidates, and of the best.

    Example:
        >>> spread(100, 5, best=60).tolist()
        [0, 25, 50, 60, 74, 99]
    """
    return np.union1d(np.linspace(0, count - 1, min(most, count)).round().astype(int), best)


def _starts(points: np.ndarray, rule: CandidateRule) -> np.ndarray:
    return np.arange(max(points.size - 1, 0)) if rule == "every-point" else tail_starts(points)


def _prepare(points: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if starts.size == 0:
        return points, points, starts
    # Relative to the largest, so that scaling W changes the fit only in its last bits.
    logs = np.log(points / points[-1])
    tail_sums = np.cumsum(logs[::-1])[::-1].copy()
    return logs, tail_sums, starts[tail_sums[starts] > (points.size - starts) * logs[starts]]

"""The truncated power law, p(λ) ∝ λ^−α·e^{−Λλ} for λ ≥ xmin: WeightWatcher's `TPL`; at the mode KDD 2023's `E_TPL`.

Any real α, Λ ≥ 0: on [xmin, ∞) the density can be normalised for every α when Λ > 0, and for α > 1 when Λ = 0,
where it is the power law. The likelihood is concave, with one optimum; at Λ = 0 it is the power law's. (Published
code stops α at 1, short of the optimum where the density bends down from xmin on.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from wqscore.fits.mode import starts_at_mode
from wqscore.fits.tail import points_above, tail_from, tail_starts
from wqscore.fits.tempered_kernel import fit
from wqscore.fits.tempered_scan import best_start, distance_up_to


@dataclass(frozen=True)
class TruncatedPowerLawFit:
    """p(λ) ∝ λ^−alpha·e^{−Lambda·λ} for λ ≥ xmin.

    Attributes:
        alpha: the exponent, of either sign; E-TPL's beta.
        Lambda: the rate of the cut-off, in units of 1/λ; 0 for a power law.
        xmin: where the tail begins.
        D: max_{k = 0 … n_tail−1} |F(λ_k) − k/n_tail|, as for the power law.
        loglik: Σ ln p(λ) over the tail.
        n_tail: eigenvalues in the tail.
    """

    alpha: float
    Lambda: float
    xmin: float
    D: float
    loglik: float
    n_tail: int


def fit_truncated_power_law(
    eigenvalues: np.ndarray, floor: float = 0.0, xmin: float | None = None
) -> TruncatedPowerLawFit | None:
    """Fit the tail from xmin on by maximum likelihood; without an xmin, choose the one with the smallest D.

    Args:
        eigenvalues: ascending, finite, shape (N,).
        floor: only eigenvalues above it take part.
        xmin: where the tail begins; need not be an eigenvalue. By default the first of `fit_power_law`'s `tail`
            candidates with the smallest D.

    Returns:
        `None` when there is no tail to fit (`tail_from` and `tail_starts` say when), when the fit, or that of any
        candidate, does not converge or spans more than e^500, or when Lambda is beyond float64's range.

    Example:
        >>> quantiles = (np.arange(1000) + 0.5) / 1000
        >>> fit = fit_truncated_power_law(1 - np.log(1 - quantiles) / 3, xmin=1.0)  # an exponential: alpha 0
        >>> abs(fit.alpha) < 0.05, round(fit.Lambda, 1)
        (True, 3.0)
    """
    if xmin is None:
        points = points_above(eigenvalues, floor)
        return _best(points, tail_starts(points))
    tail = tail_from(eigenvalues, floor, xmin)
    if tail is None:
        return None
    logs = np.log(tail / tail[-1])
    lower = math.log(xmin / tail[-1])
    converged, alpha, rate, likelihood = fit(logs, lower, 0.0, 0.0)
    if not converged:
        return None
    distance, _ = distance_up_to(logs, lower, alpha, rate, math.inf, 0)
    return _in_units(tail, float(xmin), alpha, rate, likelihood, distance)


def fit_e_tpl(eigenvalues: np.ndarray, floor: float = 0.0) -> TruncatedPowerLawFit | None:
    """Fit E-TPL: the truncated power law from the ESD's mode on, xmin by the smallest D within 5 % of the mode.

    Yang et al., KDD 2023 (arXiv 2202.02842). Arguments and `None` as for `fit_truncated_power_law`; also `None` when
    too few eigenvalues lie above the mode.
    """
    points = points_above(eigenvalues, floor)
    return _best(points, starts_at_mode(points))


def _best(points: np.ndarray, starts: np.ndarray) -> TruncatedPowerLawFit | None:
    if starts.size == 0:
        return None
    i, alpha, rate, likelihood, distance = best_start(np.log(points / points[-1]), starts)
    if i < 0:
        return None
    return _in_units(points[i:], float(points[i]), alpha, rate, likelihood, distance)


def _in_units(
    tail: np.ndarray, xmin: float, alpha: float, rate: float, likelihood: float, distance: float
) -> TruncatedPowerLawFit | None:
    """The fit in units of λ, from a rate in units of 1/λ_max and the mean log-likelihood of ln λ."""
    Lambda = rate / float(tail[-1])
    if not math.isfinite(Lambda):
        return None
    loglik = tail.size * likelihood - float(np.log(tail).sum())
    return TruncatedPowerLawFit(alpha, Lambda, xmin, distance, loglik, tail.size)

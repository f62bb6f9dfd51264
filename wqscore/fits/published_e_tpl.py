"""E-TPL and EXP as fitted by the code of the KDD 2023 paper, for the preset `kdd2023`.

Yang et al., "Test accuracy vs. generalization gap", KDD 2023 (arXiv 2202.02842), and its repository
nsfzyzz/Generalization_metrics_for_NLP, where a copy of powerlaw 1.x fits p(λ) ∝ λ^−α·e^{−Λλ} and p(λ) ∝ e^{−Λλ}
from the mode on. Three things differ from our fits: α is at least 1; D is measured to a law cut off at λ_max, though
the likelihood is not; and xmin is any eigenvalue within 5 % of the mode except the last of them. The optimum is exact
here, whereas the paper's Nelder–Mead search ends about 1e−4 from it.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from wqscore.fits.exponential import ExponentialFit, fit_exponential
from wqscore.fits.mode import esd_mode
from wqscore.fits.tail import tail_from
from wqscore.fits.tempered_kernel import WIDEST, fit, moments, right_end
from wqscore.fits.tempered_scan import share
from wqscore.fits.truncated_power_law import TruncatedPowerLawFit
from wqscore.spectra.jit import compiled

_WINDOW = (0.95, 1.05)
_TOLERANCE = 1e-12
_ITERATIONS = 100


def fit_e_tpl_bounded(eigenvalues: np.ndarray, floor: float = 1e-5) -> TruncatedPowerLawFit | None:
    """Fit E-TPL, α at least 1, at the xmin of the window with the smallest D.

    Args:
        eigenvalues: ascending, finite, shape (N,).
        floor: only eigenvalues above it count towards the mode (the tail may begin below it).

    Returns:
        `None` when the window holds fewer than two distinct eigenvalues, or no eigenvalue before the last has a fit.
    """
    fits = [fit_e_tpl_bounded_at(eigenvalues, xmin) for xmin in published_starts(eigenvalues, floor)]
    return min((fit for fit in fits if fit is not None), key=lambda fit: fit.D, default=None)


def fit_published_exponential(eigenvalues: np.ndarray, floor: float = 1e-5) -> ExponentialFit | None:
    """Fit EXP at the xmin of the window where its own D is smallest; arguments as for `fit_e_tpl_bounded`."""
    fits = [fit_exponential_at(eigenvalues, xmin) for xmin in published_starts(eigenvalues, floor)]
    return min((fit for fit in fits if fit is not None), key=lambda fit: fit.D, default=None)


def published_starts(eigenvalues: np.ndarray, floor: float) -> list[float]:
    """Return the distinct eigenvalues in 0.95 to 1.05 times the mode, ascending, without the last."""
    mode = esd_mode(eigenvalues, floor)
    if mode is None:
        return []
    distinct = np.unique(eigenvalues)
    within = distinct[(distinct >= _WINDOW[0] * mode) & (distinct <= _WINDOW[1] * mode)]
    return [float(value) for value in within[:-1]]


def fit_e_tpl_bounded_at(eigenvalues: np.ndarray, xmin: float) -> TruncatedPowerLawFit | None:
    """Fit p(λ) ∝ λ^−α·e^{−Λλ}, α ≥ 1, to the eigenvalues ≥ xmin; D to the law cut off at λ_max.

    The likelihood is concave, so the optimum is the unrestricted one or lies on the edge α = 1.

    Returns:
        `None` when there is no tail to fit (`tail_from` says when), when the fit does not converge or spans more than
        e^500, or when Lambda is beyond float64's range.

    Example:
        >>> quantiles = (np.arange(1000) + 0.5) / 1000
        >>> fit_e_tpl_bounded_at(1 - np.log(1 - quantiles) / 3, xmin=1.0).alpha  # an exponential would have 0
        1.0
    """
    tail = tail_from(eigenvalues, 0.0, xmin)
    if tail is None:
        return None
    logs = np.log(tail / tail[-1])
    lower = math.log(xmin / tail[-1])
    alpha = 1.0
    converged, steeper, rate, likelihood = fit_edge(logs, lower)
    if steeper:
        converged, alpha, rate, likelihood = fit(logs, lower, 0.0, 0.0)
    Lambda = rate / float(tail[-1])
    if not converged or not math.isfinite(Lambda):
        return None
    distance = cut_off_distance(tail, probabilities(logs, lower, alpha, rate))
    loglik = tail.size * likelihood - float(np.log(tail).sum())
    return TruncatedPowerLawFit(alpha, Lambda, float(xmin), distance, loglik, tail.size)


def fit_exponential_at(eigenvalues: np.ndarray, xmin: float) -> ExponentialFit | None:
    """Fit as `fit_exponential` does, with D to the law cut off at λ_max."""
    fitted = fit_exponential(eigenvalues, 0.0, xmin)
    tail = tail_from(eigenvalues, 0.0, xmin)
    if fitted is None or tail is None:
        return None
    return replace(fitted, D=cut_off_distance(tail, -np.expm1(-fitted.Lambda * (tail - xmin))))


def cut_off_distance(tail: np.ndarray, below: np.ndarray) -> float:
    """Return max |F(λ)/F(λ_max) − k/m|, k the eigenvalues of the tail below λ.

    Args:
        tail: ascending, shape (m,).
        below: F at each, the law's probability of a smaller value.
    """
    ranks = np.searchsorted(tail, tail)
    return float(np.abs(below / below[-1] - ranks / tail.size).max())


@compiled
def fit_edge(logs: np.ndarray, lower: float) -> tuple[bool, bool, float, float]:
    """Maximise the likelihood of p(x) ∝ x^−1·e^{−Λx}; arguments as for `tempered_kernel.fit`.

    In that file's coordinates α = 1 is k = c, the density of y ∝ exp(−c·s(y)), s = e^y − 1, and the optimum is where
    the mean of s − s(lower) equals the data's. For an exponential that mean is 1/c; here too its logarithm falls with
    ln c at a slope of about −1, so that Newton steps converge from any c.

    Returns:
        Whether it converged; whether a larger α would be likelier; Λ; and the mean log-likelihood of ln x.
    """
    centre = logs.mean()
    start = lower - centre
    wanted = 0.0
    for log in logs:
        wanted += math.expm1(log - lower)
    wanted *= math.exp(start) / logs.size
    if not wanted > 0 or logs[-1] - lower > WIDEST:
        return False, False, 0.0, 0.0
    c = 1 / wanted
    for _ in range(_ITERATIONS):
        log_integral, mean_y, mean_w, yy, yw, ww = moments(c, c, start)
        mean = mean_y + mean_w - math.expm1(start)
        step = math.log(mean / wanted) * mean / (c * (yy + 2 * yw + ww))
        if abs(step) <= _TOLERANCE:
            return True, mean_y > 0, c * math.exp(-centre), -log_integral - c * (wanted + math.expm1(start))
        c *= math.exp(step)
    return False, False, 0.0, 0.0


@compiled
def probabilities(logs: np.ndarray, lower: float, alpha: float, rate: float) -> np.ndarray:
    """Return F at the tail's points, for α ≥ 1, where the density of ln x falls; arguments as in `fit`."""
    below = -np.expm1((1 - alpha) * (logs - lower))
    if rate > 0:
        centre = logs.mean()
        c = rate * math.exp(centre)
        k = alpha - 1 + c
        log_integral = moments(k, c, lower - centre)[0]
        right = right_end(k, c, lower - centre)
        reached = lower - centre
        total = 0.0
        for j in range(logs.size):
            y = min(logs[j] - centre, right)
            if y > reached:
                total += share(k, c, log_integral, reached, y)
                reached = y
            below[j] = total
    return below

"""The lognormal tail: ln λ normal(mu, sigma), cut off below xmin.

With y = ln(λ/xmin) the density is that of a normal, z = (ln xmin − mu)/sigma standard deviations above its centre, on
y ≥ 0. The power law is its limit z → ∞, where mu → −∞ and sigma → ∞: z is bounded by 10⁴, and with it sigma by 10⁴
times the mean of y. There the log-likelihood is within 10⁻⁸·n_tail·(mean y²/(2·(mean y)²) − 1) of the power law's.

The likelihood equations reduce to one: the coefficient of variation of y, which rises with z from 0 to the
exponential's 1, equals the tail's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from wqscore.fits.tail import tail_from
from wqscore.spectra.jit import compiled

_LARGEST_Z = 1e4
#: From this z on the normal's tail is computed by its continued fraction, of which 40 levels reach the last digit.
_FRACTION_FROM = 5.0
_LEVELS = 40


@dataclass(frozen=True)
class LognormalFit:
    """p(λ) ∝ exp(−(ln λ − mu)²/(2·sigma²))/λ for λ ≥ xmin.

    Attributes:
        mu: the centre of ln λ; far below ln xmin where the tail is close to a power law.
        sigma: the spread of ln λ.
        xmin: where the tail begins.
        D: max_{k = 0 … n_tail−1} |F(λ_k) − k/n_tail|, as for the power law.
        loglik: Σ ln p(λ) over the tail.
        n_tail: eigenvalues in the tail.
    """

    mu: float
    sigma: float
    xmin: float
    D: float
    loglik: float
    n_tail: int

    @property
    def at_limit(self) -> bool:
        """Whether the tail is so close to a power law that only the bound on z fixes mu and sigma."""
        return math.log(self.xmin) - self.mu >= _LARGEST_Z * self.sigma * (1 - 1e-9)


def fit_lognormal(eigenvalues: np.ndarray, floor: float, xmin: float) -> LognormalFit | None:
    """Fit the tail from xmin on by maximum likelihood.

    Args:
        eigenvalues: ascending, finite, shape (N,).
        floor: only eigenvalues above it take part.
        xmin: where the tail begins; need not be an eigenvalue.

    Returns:
        `None` when there is no tail to fit (`tail_from` says when).

    Example:
        >>> logs = np.linspace(-3, 3, 1001)
        >>> fit = fit_lognormal(np.exp(logs), 0.0, xmin=1e-9)  # nothing cut off: mean and spread of the logs
        >>> round(fit.mu, 6), round(fit.sigma, 3)
        (0.0, 1.734)
    """
    tail = tail_from(eigenvalues, floor, xmin)
    if tail is None:
        return None
    logs = np.log(tail / xmin)
    z = _solve(float(logs.std() / logs.mean()))
    sigma = float(logs.mean()) / _mean(z) if z < _LARGEST_Z else _sigma_at_bound(logs)
    steps = logs / sigma
    above = np.array([_survival(z, step) for step in steps])
    distances = np.abs(1 - above - np.arange(tail.size) / tail.size)
    log_density = np.array([_log_density(z, step) for step in steps])
    loglik = float((log_density - np.log(tail)).sum()) - tail.size * math.log(sigma)
    return LognormalFit(math.log(xmin) - z * sigma, sigma, float(xmin), float(distances.max()), loglik, tail.size)


def _sigma_at_bound(logs: np.ndarray) -> float:
    """The likeliest sigma with z held at its bound: a root of a quadratic."""
    slope = _LARGEST_Z * float(logs.mean())
    return (slope + math.sqrt(slope**2 + 4 * float((logs**2).mean()))) / 2


@compiled
def _fraction(z: float, first: int) -> float:
    """first/(z + (first + 1)/(z + (first + 2)/(z + …)))."""
    value = 0.0
    for level in range(first + _LEVELS, first - 1, -1):
        value = level / (z + value)
    return value


@compiled
def _hazard(z: float) -> float:
    """φ(z)/Q(z) of the standard normal, Q its upper tail."""
    return math.exp(-z * z / 2) * math.sqrt(2 / math.pi) / math.erfc(z / math.sqrt(2))


@compiled
def _mean(z: float) -> float:
    """The mean of y/sigma."""
    return _fraction(z, 1) if z > _FRACTION_FROM else _hazard(z) - z


@compiled
def _variation(z: float) -> float:
    """The coefficient of variation of y."""
    if z > _FRACTION_FROM:
        # With the hazard z + δ, δ = 1/(z + ε): mean square ε·δ, mean δ.
        return math.sqrt(_fraction(z, 2) / _fraction(z, 1) - 1)
    hazard = _hazard(z)
    return math.sqrt(1 - hazard * (hazard - z)) / (hazard - z)


@compiled
def _solve(variation: float) -> float:
    """The z at which y has this coefficient of variation, at most the bound, by bisection."""
    # For z < 0 the mean of y/sigma exceeds −z and its spread is below 1.
    low, high = -2 / variation, _LARGEST_Z
    if variation >= _variation(high):
        return high
    middle = (low + high) / 2
    while low < middle < high:
        if _variation(middle) < variation:
            low = middle
        else:
            high = middle
        middle = (low + high) / 2
    return middle


@compiled
def _survival(z: float, step: float) -> float:
    """Q(z + step)/Q(z)."""
    if z > _FRACTION_FROM:
        # Q/φ = 1/(z + δ).
        decay = math.exp(-step * (z + step / 2))
        return decay * (z + _fraction(z, 1)) / (z + step + _fraction(z + step, 1))
    return math.erfc((z + step) / math.sqrt(2)) / math.erfc(z / math.sqrt(2))


@compiled
def _log_density(z: float, step: float) -> float:
    """The logarithm of φ(z + step)/Q(z)."""
    if z > _FRACTION_FROM:
        return math.log(z + _fraction(z, 1)) - step * (z + step / 2)
    return math.log(math.sqrt(2 / math.pi) / math.erfc(z / math.sqrt(2))) - (z + step) ** 2 / 2

"""Goodness of fit: the share of synthetic power laws, fitted the same way, whose fit is at least as bad.

Clauset, Shalizi & Newman, "Power-law distributions in empirical data", SIAM Review 51 (2009), section 4.1. The
observed spectrum counts as one of the draws, so that p is never 0.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from wqscore.fits.power_law import PowerLawFit, fit_power_law_at
from wqscore.fits.refit_kernel import power_law_points, refit, resample
from wqscore.fits.tail import points_above
from wqscore.spectra.sequential import Share, settle_share


class GoodnessOfFit:
    """Semi-parametric draws from a fit, made on first use and kept.

    Each of a draw's N points comes from the fitted power law with probability n_tail/N, and otherwise from the
    eigenvalues below xmin; xmin is then chosen again. A draw without a tail, all of one value, is left out.

    Args:
        eigenvalues: ascending, finite, shape (N,).
        floor: only eigenvalues above it take part.
        fit: `fit_power_law` of these eigenvalues and this floor, with its `tail` candidates.
        seed: of the draws, 0 or more.
    """

    def __init__(self, eigenvalues: np.ndarray, floor: float, fit: PowerLawFit, seed: int) -> None:
        points = points_above(eigenvalues, floor)
        # Relative to xmin, where the drawn tail begins.
        self._body = np.log(points[points < fit.xmin] / fit.xmin)
        self._size = points.size
        self._fit = fit
        self._rng = np.random.default_rng(seed)
        self._distances: list[float] = []

    def p_value(self, count: int) -> float:
        """Return (1 + #{D* ≥ D})/(count + 1) of so many draws, at least 1."""
        return _share_from(self._fit.D, [distance for distance in self._first(count) if np.isfinite(distance)])

    def settle(self, limit: float, most: int) -> Share:
        """Draw until the probability of D* ≥ D is clearly above or below a limit, or there are the most draws."""
        return settle_share((distance >= self._fit.D for distance in self._first(most) if distance < np.inf), limit)

    def _first(self, count: int) -> Iterator[float]:
        for k in range(count):
            if k == len(self._distances):
                draw = _draw(self._body, self._fit, self._size, self._rng)
                self._distances.append(float(refit(draw)[1]))
            yield self._distances[k]


def p_value(eigenvalues: np.ndarray, floor: float, fit: PowerLawFit, seed: int, count: int = 100) -> float:
    """Return (1 + #{D* ≥ D})/(count + 1), D* of semi-parametric draws, with xmin chosen again in each.

    Args:
        eigenvalues: ascending, finite, shape (N,).
        floor: only eigenvalues above it take part.
        fit: `fit_power_law` of these eigenvalues and this floor, with its `tail` candidates.
        seed: of the draws, 0 or more.
        count: how many draws, at least 1. A draw without a tail, all of one value, is left out.

    Returns:
        Between 1/(count + 1) and 1; small where the tail is no power law.

    Example:
        >>> from wqscore.fits.power_law import fit_power_law
        >>> quantiles = (np.arange(1000) + 0.5) / 1000
        >>> pareto, uniform = (1 - quantiles) ** (-1 / 2), 1 + quantiles
        >>> p_value(pareto, 0.0, fit_power_law(pareto), seed=0)
        1.0
        >>> p_value(uniform, 0.0, fit_power_law(uniform), seed=0) < 0.1
        True
    """
    return GoodnessOfFit(eigenvalues, floor, fit, seed).p_value(count)


def p_value_at(fit: PowerLawFit, seed: int, count: int = 100) -> float:
    """Return the p-value of a tail whose xmin was given in advance (`fit_power_law_at`).

    Uniform on true power laws: the distribution of D depends on n_tail alone. Arguments as for `p_value`.
    """
    rng = np.random.default_rng(seed)
    draws = (np.exp(power_law_points(rng.standard_exponential(fit.n_tail), alpha=2.0)) for _ in range(count))
    refits = (fit_power_law_at(draw, floor=0.0, xmin=1.0) for draw in draws)
    return _share_from(fit.D, [refitted.D for refitted in refits if refitted])


def _draw(body: np.ndarray, fit: PowerLawFit, size: int, rng: np.random.Generator) -> np.ndarray:
    """Ascending ln(λ/xmin) of one draw of `size` points."""
    n_tail = rng.binomial(size, fit.n_tail / size)
    tail = power_law_points(rng.standard_exponential(n_tail), fit.alpha)
    if n_tail == size:
        return tail
    return np.concatenate([resample(body, rng.integers(body.size, size=size - n_tail)), tail])


def _share_from(distance: float, drawn: list[float]) -> float:
    """The share of distances that are at least the observed one, which is counted among them."""
    return (1 + sum(other >= distance for other in drawn)) / (1 + len(drawn))

"""Goodness of fit: the share of synthetic power laws, fitted the same way, whose fit is at least as bad.

Clauset, Shalizi & Newman, "Power-law distributions in empirical data", SIAM Review 51 (2009), section 4.1. The
observed spectrum counts as one of the draws, so that p is never 0.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from wqscore.fits.power_law import PowerLawFit, fit_power_law_at
from wqscore.fits.refit_kernel import draw_worse, power_law_points
from wqscore.fits.tail import points_above
from wqscore.spectra.sequential import Share, settle_share

#: Draws between two looks at whether they are enough.
_AT_ONCE = 50
#: Random numbers in memory at a time.
_DRAWN_AT_ONCE = 1 << 17


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
        self._fit = fit
        self._rng = np.random.default_rng(seed)
        self._worse = np.empty(0, dtype=np.int8)

    def p_value(self, count: int) -> float:
        """Return (1 + #{D* ≥ D})/(count + 1) of so many draws, at least 1."""
        drawn = self._first(count)
        return float((1 + np.count_nonzero(drawn == 1)) / (1 + np.count_nonzero(drawn >= 0)))

    def settle(self, limit: float, most: int) -> Share:
        """Draw until the probability of D* ≥ D is clearly above or below a limit, or there are the most draws."""
        return settle_share(self._until(most), limit)

    def _until(self, most: int) -> Iterator[bool]:
        for start in range(0, most, _AT_ONCE):
            drawn = self._first(min(start + _AT_ONCE, most))[start:]
            yield from (drawn[drawn >= 0] == 1).tolist()

    def _first(self, count: int) -> np.ndarray:
        """Whether the D of each of the first draws is at least that of the fit, as `draw_worse` has it."""
        fit = self._fit
        step = max(1, _DRAWN_AT_ONCE // (self._body.size + fit.n_tail))
        while (more := count - self._worse.size) > 0:
            drawn = draw_worse(self._rng, self._body, fit.alpha, fit.n_tail, fit.D, min(more, step))
            self._worse = np.concatenate([self._worse, drawn])
        return self._worse[:count]


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


def _share_from(distance: float, drawn: list[float]) -> float:
    """The share of distances that are at least the observed one, which is counted among them."""
    return (1 + sum(other >= distance for other in drawn)) / (1 + len(drawn))

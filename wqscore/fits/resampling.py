"""Bootstrap interval of alpha: how far it moves when the eigenvalues are resampled and xmin is chosen again.

Efron & Tibshirani, "An Introduction to the Bootstrap" (1993), section 13.3: the percentile interval.
"""

from __future__ import annotations

import numpy as np

from wqscore.fits.interval import Interval
from wqscore.fits.refit_kernel import resampled_exponents
from wqscore.fits.tail import points_above, tail_starts

#: Random numbers in memory at a time.
_DRAWN_AT_ONCE = 1 << 17


def resampling_interval(
    eigenvalues: np.ndarray, floor: float, seed: int, count: int = 200, level: float = 0.95
) -> Interval | None:
    """Return the percentile interval of alpha over resamples of the eigenvalues, with xmin chosen again in each.

    The eigenvalues are treated as independent. Those of a random matrix repel each other, so that their alpha
    scatters less than the interval suggests.

    Args:
        eigenvalues: ascending, finite, shape (N,).
        floor: only eigenvalues above it take part.
        seed: of the resamples, 0 or more.
        count: how many resamples, at least 1.
        level: share of the resamples' alphas inside, between 0 and 1.

    Returns:
        `None` where `fit_power_law` finds no tail. A resample without a tail, all of one value, is left out.

    Example:
        >>> quantiles = (np.arange(1000) + 0.5) / 1000
        >>> interval = resampling_interval((1 - quantiles) ** (-1 / 2), 0.0, seed=0)  # density exponent 3
        >>> interval.lo < 3 < interval.hi
        True
    """
    points = points_above(eigenvalues, floor)
    if tail_starts(points).size == 0:
        return None
    logs = np.log(points / points[-1])
    rng = np.random.default_rng(seed)
    alphas = np.empty(count)
    step = max(1, _DRAWN_AT_ONCE // logs.size)
    for start in range(0, count, step):
        drawn = rng.integers(logs.size, size=(min(step, count - start), logs.size))
        alphas[start : start + step] = resampled_exponents(logs, drawn)
    fitted = alphas[np.isfinite(alphas)]
    if fitted.size == 0:
        return None
    lo, hi = np.quantile(fitted, ((1 - level) / 2, (1 + level) / 2))
    return Interval(float(lo), float(hi))

"""The power-law fit whose xmin lies at the peak of the spectrum's density: `alpha_peak`.

Lu et al., "AlphaPruning", NeurIPS 2024 (arXiv 2410.10912), after WeightWatcher's `fix_fingers='xmin_peak'`.
"""

from __future__ import annotations

from math import log10

import numpy as np

from wqscore.fits.mode import esd_mode
from wqscore.fits.power_law import PowerLawFit, fit_power_law_among
from wqscore.fits.tail import points_above, tail_starts

#: xmin lies this far from the mode, as a factor.
_LOW, _HIGH = 0.95, 1.5


def fit_at_peak(eigenvalues: np.ndarray, floor: float = 0.0) -> PowerLawFit | None:
    """Fit the tail with xmin between 0.95 and 1.5 times the mode, both excluded.

    Args:
        eigenvalues: ascending, finite, shape (N,).
        floor: only eigenvalues above it take part, in the mode as in the fit.

    Returns:
        The fit with the smallest D, at the smallest such xmin; `None` when no tail begins in that window.

    Example:
        >>> quantiles = (np.arange(1000) + 0.5) / 1000
        >>> fit = fit_at_peak((1 - quantiles) ** (-1 / 2))
        >>> round(fit.alpha, 1), fit.xmin < 1.5
        (3.0, True)
    """
    points = points_above(eigenvalues, floor)
    mode = esd_mode(points)
    if mode is None:
        return None
    starts = tail_starts(points)
    within = (points[starts] > _LOW * mode) & (points[starts] < _HIGH * mode)
    return fit_power_law_among(points, starts[within])


def published_fit_at_peak(eigenvalues: np.ndarray) -> PowerLawFit | None:
    """Fit as the code of AlphaPruning, AlphaLoRA, TempBalance (`fix-finger`) and FARMS does, its bug included.

    The lower end of the window is log10(0.95·mode) taken as a value of λ: never above 0.152 times the mode, and below
    every eigenvalue where the mode is under 1.05, so the fit changes when W is scaled. The upper end is 1.5·mode.
    Both ends are included, every eigenvalue but the last may be xmin, however short its tail, and no eigenvalue is
    filtered out. That code computes in float32, this in float64.

    Args:
        eigenvalues: ascending, finite, shape (N,). Those equal to 0 are left out; that code fails on them.

    Returns:
        The fit with the smallest D, at the smallest such xmin. `None` when the window is empty, where that code
        gives 0 for alpha and 1 for D.
    """
    points = points_above(eigenvalues, 0.0)
    mode = esd_mode(points)
    if mode is None:
        return None
    starts = points[:-1]
    within = (starts >= log10(_LOW * mode)) & (starts <= _HIGH * mode)
    return fit_power_law_among(points, np.flatnonzero(within))

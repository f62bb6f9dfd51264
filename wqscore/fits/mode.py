"""The mode of the empirical spectral density, and the candidates for E-TPL's xmin around it.

Yang et al., "Test accuracy vs. generalization gap", KDD 2023 (arXiv 2202.02842): the left edge of the fullest of 100
bins of the histogram of log10 λ.
"""

from __future__ import annotations

import numpy as np

from wqscore.fits.tail import has_extent, points_above, tail_starts

_BINS = 100
#: xmin lies this close to the mode, as a factor.
_WINDOW = (0.95, 1.05)


def esd_mode(eigenvalues: np.ndarray, floor: float = 0.0) -> float | None:
    """Return the left edge of the fullest bin, in units of λ; of the first where several are equally full.

    Args:
        eigenvalues: ascending, finite, shape (N,).
        floor: only eigenvalues above it take part.

    Returns:
        `None` when no eigenvalue takes part, or all are equal.
    """
    points = points_above(eigenvalues, floor)
    if not has_extent(points):
        return None
    counts, edges = np.histogram(np.log10(points / points[-1]), bins=_BINS)
    return float(points[-1] * 10 ** edges[np.argmax(counts)])


def starts_at_mode(points: np.ndarray) -> np.ndarray:
    """Return the indices where a tail may begin at the mode.

    Args:
        points: the eigenvalues that take part, as `points_above` returns them.

    Returns:
        Those of `tail_starts` in 0.95 to 1.05 times the mode; where no eigenvalue lies there, the one nearest to the
        mode; empty when that leaves no tail.
    """
    mode = esd_mode(points)
    if mode is None:
        return np.empty(0, dtype=np.int64)
    starts = tail_starts(points)
    low, high = _WINDOW[0] * mode, _WINDOW[1] * mode
    within: np.ndarray = starts[(points[starts] >= low) & (points[starts] <= high)]
    if within.size == 0:
        within = starts[starts == np.argmin(np.abs(points - mode))]
    return within

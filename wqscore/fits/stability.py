"""How much alpha depends on the choice of xmin."""

from __future__ import annotations

from wqscore.fits.power_law import XminScan

#: An xmin counts as nearly as good as the best when its D is at most this many times the smallest.
NEAR_BEST = 1.10


def alpha_range(scan: XminScan) -> tuple[float, float] | None:
    """Return the smallest and largest alpha over the xmins whose D is within 10 % of the smallest D.

    Returns:
        `None` for a scan without candidates.

    Example:
        >>> import numpy as np
        >>> xmins, alphas, distances = np.array([[1.0, 2.0, 3.0], [2.5, 3.1, 4.0], [0.2, 0.105, 0.1]])
        >>> scan = XminScan(xmins, alphas, distances)
        >>> alpha_range(scan)
        (3.1, 4.0)
    """
    if scan.D.size == 0:
        return None
    near = scan.alpha[scan.D.min() * NEAR_BEST >= scan.D]
    return float(near.min()), float(near.max())

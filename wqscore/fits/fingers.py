"""The power-law fit without fingers, a few eigenvalues so far out that the fit covers only them.

After WeightWatcher's `fix_fingers='clip_xmax'` (issue 102 there), with a different rule for how many are dropped.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wqscore.fits.power_law import CandidateRule, PowerLawFit, fit_power_law
from wqscore.fits.tail import points_above

_MAX_FINGERS = 10
#: Dropped eigenvalues are fingers if alpha falls by more than this without them.
_MIN_FALL = 1.0


@dataclass(frozen=True)
class ClippedFit:
    """A power-law fit without the largest eigenvalues.

    Attributes:
        fit: the fit to the remaining ones.
        num_fingers: how many were dropped.
    """

    fit: PowerLawFit
    num_fingers: int


def fit_without_fingers(
    eigenvalues: np.ndarray, floor: float = 0.0, candidates: CandidateRule = "tail"
) -> ClippedFit | None:
    """Fit the tail, and drop the largest eigenvalues as long as that makes alpha fall by more than 1.

    For k = 1 … 10 the k largest are left out. The first k whose alpha is more than 1 below the unclipped one is
    taken; a later k is taken instead when its alpha is more than 1 below that of the last one taken, and so on.

    WeightWatcher begins at k = 2 and ends at 9, takes the first k only, gives up where alpha is 2 or less before
    that, and reports k − 1.

    Args:
        eigenvalues: ascending, finite, shape (N,).
        floor: only eigenvalues above it take part.
        candidates: which of them may be xmin, as for `fit_power_law`.

    Returns:
        The last fit taken, with num_fingers = 0 for the unclipped one; `None` when there is no unclipped fit.

    Example:
        >>> quantiles = (np.arange(200) + 0.5) / 200
        >>> clipped = fit_without_fingers((1 - quantiles) ** (-1 / 2))
        >>> clipped.num_fingers, round(clipped.fit.alpha, 1)
        (0, 3.0)
    """
    points = points_above(eigenvalues, floor)
    taken = fit_power_law(points, candidates=candidates)
    if taken is None:
        return None
    num_fingers = 0
    for dropped in range(1, _MAX_FINGERS + 1):
        fit = fit_power_law(points[:-dropped], candidates=candidates)
        if fit is None:
            break
        if fit.alpha < taken.alpha - _MIN_FALL:
            taken, num_fingers = fit, dropped
    return ClippedFit(taken, num_fingers)

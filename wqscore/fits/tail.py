"""Which eigenvalues are fitted and where a tail may begin, by the same rules for every fitted family."""

from __future__ import annotations

import numpy as np

#: A tail shorter than this is not fitted: the estimate's spread would exceed its value.
MIN_TAIL = 10
#: A tail whose xmin is relatively this close to the largest eigenvalue has no extent.
MIN_EXTENT = 1e-10


def points_above(eigenvalues: np.ndarray, floor: float) -> np.ndarray:
    """Return the eigenvalues that take part in a fit.

    Args:
        eigenvalues: ascending, shape (N,).
        floor: only eigenvalues above it, and above 0, take part.

    Returns:
        A contiguous float64 array, without values so small that their ratio to the largest is not a normal
        number; empty when any eigenvalue is not finite.
    """
    points = np.ascontiguousarray(eigenvalues[eigenvalues > max(floor, 0.0)], dtype=np.float64)
    if points.size == 0 or not np.isfinite(eigenvalues).all():
        return np.empty(0)
    within_range: np.ndarray = points[points / points[-1] >= np.finfo(np.float64).tiny]
    return within_range


def has_extent(points: np.ndarray) -> bool:
    """Return whether ascending, positive points differ by more than rounding."""
    return points.size > 0 and bool(points[-1] / points[0] - 1 > MIN_EXTENT)


def tail_starts(points: np.ndarray) -> np.ndarray:
    """Return the indices of the first of each distinct value that leaves at least 10 terms and some extent."""
    if points.size < MIN_TAIL:
        return np.empty(0, dtype=np.int64)
    eligible = points[-1] / points[: points.size - MIN_TAIL + 1] - 1 > MIN_EXTENT
    eligible[1:] &= points[1 : eligible.size] > points[: eligible.size - 1]
    return np.flatnonzero(eligible)


def tail_from(eigenvalues: np.ndarray, floor: float, xmin: float) -> np.ndarray | None:
    """Return the eigenvalues ≥ xmin and above the floor.

    Returns:
        `None` when a tail can't be fitted there: fewer than 10 eigenvalues, all of them equal, an xmin that is
        not positive, or so small that λ_max/xmin is not finite.
    """
    points = points_above(eigenvalues, floor)
    tail = points[points >= xmin]
    if not xmin > 0 or tail.size < MIN_TAIL or not has_extent(tail):
        return None
    # Python's own division overflows without a warning.
    return tail if float(tail[-1]) / float(xmin) < np.inf else None

"""SETOL's trace-log (ERG) condition: the largest tail of the spectrum whose determinant is at least 1.

With the eigenvalues scaled to a mean of 1, the trace-log Σ ln λ of a tail that is extended downwards rises while
λ > 1 and then falls. Where it is back at 0 the tail's determinant is 1; at alpha = 2 the power law is said to begin
there.

Source: Martin & Hinrichs, SETOL (2025).
"""

from __future__ import annotations

from math import nan

import numpy as np

#: Rounding error of Σ ln λ per eigenvalue when all eigenvalues are equal.
_ROUNDING = 16 * float(np.finfo(np.float64).eps)


def detx_num(eigenvalues: np.ndarray, floor: float = 0.0) -> float:
    """Count the eigenvalues of the largest tail with Σ ln λ ≥ 0, λ scaled so that Σλ = N; a whole number.

    It sums logs because the product itself leaves the range of a float beyond N of about 3,000.

    Args:
        eigenvalues: ascending; N of them.
        floor: eigenvalues at or below it are rounding noise and not counted.

    Returns:
        NaN when there is no eigenvalue above 0.

    Example:
        >>> detx_num(np.array([0.1, 0.1, 0.8, 3.0]))  # 3.0 · 0.8 ≥ 1, and · 0.1 is not
        2.0
    """
    if not eigenvalues.size or not 0 < eigenvalues[-1] < np.inf:
        return nan
    shares = eigenvalues / eigenvalues[-1]
    counted = shares[(eigenvalues > floor) & (shares > 0)]
    trace_log = np.cumsum(np.log(counted[::-1]) - np.log(shares.mean()))
    return float(np.count_nonzero(trace_log >= -_ROUNDING * eigenvalues.size))


def weightwatcher_detx_num(eigenvalues: np.ndarray) -> float:
    """Count as WeightWatcher 0.7's `detX_num` does, its overflow beyond N of about 3,000 included.

    It also counts the eigenvalue that brings the product below 1, and returns 0 when all are equal.

    Source: WeightWatcher 0.7.7, `RMT_Util.detX_constraint`.

    Args:
        eigenvalues: ascending.
    """
    if eigenvalues.size < 2 or not eigenvalues[0] < eigenvalues[-1]:
        return 0.0
    with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
        scale = np.sqrt(eigenvalues.size) / np.sqrt(eigenvalues.sum())
        scaled = scale * scale * eigenvalues
        for start in range(scaled.size - 1, 0, -1):
            if np.prod(scaled[start:]) < 1:
                return float(scaled.size - start)
    return float(scaled.size)

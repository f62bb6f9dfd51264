"""Search for the xmin of the truncated power law: fit each candidate, and find the smallest distance D.

Coordinates and arguments are those of `tempered_kernel`.
"""

from __future__ import annotations

import math

import numpy as np

from wqscore.fits.tempered_kernel import excess, fit, left_end, moments, peak_at, right_end
from wqscore.spectra.jit import compiled

#: Between two data points the exponent changes by at most 1 a panel: 5 nodes reach 1e−12.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(5)
#: The coarse pass looks at every N/32th candidate, for a first bound on D.
_COARSE_STEPS = 32
#: A gap above the bound by this much is above it however the law is integrated.
_CLEARLY = 1e-6


@compiled
def share(k: float, c: float, log_integral: float, start: float, end: float) -> float:
    """Return the probability between two values of y; `log_integral` is the log of the density's whole integral."""
    steepest = max(abs(k + c * math.expm1(start)), abs(k + c * math.expm1(end)))
    panels = max(math.ceil(steepest * (end - start)), math.ceil(end - start))
    half = (end - start) / panels / 2
    share = 0.0
    for panel in range(panels):
        middle = start + (2 * panel + 1) * half
        for node in range(_NODES.size):
            y = middle + half * _NODES[node]
            share += half * _WEIGHTS[node] * math.exp(-k * y - c * excess(y) - log_integral)
    return share


@compiled
def distance_up_to(
    logs: np.ndarray, lower: float, alpha: float, rate: float, bound: float, probe: int
) -> tuple[float, int]:
    """D = max_{j = 0 … m−1} |F(x_j) − j/m|, or a gap above the bound.

    Args:
        logs: as for `fit`.
        lower: as for `fit`.
        alpha: α.
        rate: Λ, in the unit of `logs`.
        bound: where to stop.
        probe: a point to try first, because a gap above the bound is likely there; 0 for none.

    Returns:
        D or the gap, and the point's index.
    """
    m = logs.size
    centre = logs.mean()
    c = rate * math.exp(centre)
    k = alpha - 1 + c
    log_integral = 0.0
    left = right = 0.0
    if c > 0:
        log_integral = moments(k, c, lower - centre)[0]
        left = left_end(k, c, lower - centre, peak_at(k, c, lower - centre))
        right = right_end(k, c, lower - centre)
        y = min(logs[probe] - centre, right)
        if probe > 0 and y > left:
            gap = abs(share(k, c, log_integral, left, y) - probe / m)
            if gap > bound + _CLEARLY:
                return gap, probe
    reached = left
    below = 0.0
    largest = 0.0
    widest = 0
    for j in range(m):
        if c > 0:
            y = min(logs[j] - centre, right)
            if y > reached:
                below += share(k, c, log_integral, reached, y)
                reached = y
        else:
            below = -math.expm1((1 - alpha) * (logs[j] - lower))
        gap = abs(below - j / m)
        if gap > largest:
            largest = gap
            widest = j
        if largest > bound:
            break
    return largest, widest


@compiled
def best_start(logs: np.ndarray, starts: np.ndarray) -> tuple[int, float, float, float, float]:
    """Fit the tail from each start on; return the one with the smallest D, the first where several share it.

    Fits go from the right, each starting from its neighbour's values. Distances are compared as in
    `ks_kernel.best_candidate`: a coarse pass for a first bound, and every candidate first tried where the last one
    failed.

    Returns:
        The start's index in `logs`, −1 when a fit did not converge; α; Λ; mean log-likelihood of ln x; D.
    """
    fits = np.zeros((starts.size, 3))
    alpha = rate = 0.0
    for position in range(starts.size - 1, -1, -1):
        i = starts[position]
        converged, alpha, rate, likelihood = fit(logs[i:], logs[i], alpha, rate)
        if not converged:
            return -1, 0.0, 0.0, 0.0, 0.0
        fits[position] = alpha, rate, likelihood
    best = -1
    best_distance = math.inf
    failed = 0
    step = max(1, starts.size // _COARSE_STEPS)
    for coarse in (True, False):
        for position in range(starts.size - 1, -1, -1):
            if (position % step == 0) != coarse:
                continue
            i = starts[position]
            distance, widest = distance_up_to(
                logs[i:], logs[i], fits[position, 0], fits[position, 1], best_distance, max(failed - i, 0)
            )
            if distance > best_distance:
                failed = i + widest
            # An equal distance wins only from further left: the first minimum is the answer.
            elif distance < best_distance or position < best:
                best_distance = distance
                best = position
    return starts[best], fits[best, 0], fits[best, 1], fits[best, 2], best_distance

"""The compiled loops of the truncated (exponentially tempered) power law.

Coordinates: y = ln(x/g), g the geometric mean of the tail, so that the mean of y is 0 and y ≥ lower = ln(xmin/g).
There p(x) ∝ x^−α e^{−Λx} becomes, with w(y) = e^y − 1 − y,

    p(y) ∝ exp(−k·y − c·w(y)),    c = Λ·g,    k = α − 1 + c,

an exponential family in (y, w): minus the mean log-likelihood, ln ∫ exp(−k·y − c·w) dy + c·mean(w), is convex in
(k, c), its gradient and Hessian are moments. Around the data w ≈ y²/2, so y and w stay distinguishable in a narrow
tail, where x and ln x would be nearly collinear.
"""

from __future__ import annotations

import math

import numpy as np

from wqscore.spectra.jit import compiled

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(10)
#: The integral extends to where the integrand has dropped by e^−40 from its peak.
_DROP = 40.0
#: A panel is at most 1 long and there are at least 6 a side: 10 nodes then reach 1e−13.
_PANELS = 6

#: The fit has converged when its moments agree with the data's to this, in the data's own units.
_TOLERANCE = 1e-10
_ITERATIONS = 200
#: One step divides c by at most e^3.
_LARGEST_FALL = 3.0
#: A smaller rate doesn't change the likelihood's last digit. Such rates arise where α is very close to 2.
_SMALLEST_RATE = 1e-250
#: A tail from xmin to more than e^500·xmin is not fitted: c could leave float64's range.
WIDEST = 500.0


@compiled
def excess(y: float) -> float:
    """Return w(y) = e^y − 1 − y, by its series where the difference would cancel."""
    if abs(y) < 0.01:
        return y * y / 2 * (1 + y / 3 * (1 + y / 4 * (1 + y / 5 * (1 + y / 6 * (1 + y / 7)))))
    return math.exp(y) - 1 - y


@compiled
def peak_at(k: float, c: float, lower: float) -> float:
    """Return the y ≥ lower where exp(−k·y − c·w(y)) is largest."""
    return max(lower, math.log1p(-k / c)) if k < c else lower


@compiled
def left_end(k: float, c: float, lower: float, peak: float) -> float:
    """Return a bound on where, left of its peak, exp(−k·y − c·w(y)) has dropped by e^−40."""
    if peak <= lower:
        return lower
    # The exponent falls by a·(e^−d − 1 + d) ≥ a·d²/(2 + d), a = c·e^peak = c − k.
    drop = _DROP / (c - k)
    return max(lower, peak - (drop + math.sqrt(drop * drop + 8 * drop)) / 2)


@compiled
def right_end(k: float, c: float, lower: float) -> float:
    """Return a bound on where, right of its peak, exp(−k·y − c·w(y)) has dropped by e^−40."""
    peak = peak_at(k, c, lower)
    curvature = c * math.exp(peak)
    slope = 0.0 if peak > lower else max(k + c * math.expm1(lower), 0.0)
    # The exponent falls by slope·d + a·w(d), a = c·e^peak, with w(d) ≥ d²/2 and w(d) ≥ e^d/2 − 1.
    width = math.log(2 * _DROP + 2 * curvature) - math.log(c) - peak
    steepness = slope + math.sqrt(slope * slope + 2 * _DROP * curvature)
    return peak + (min(width, 2 * _DROP / steepness) if steepness > 0 else width)


@compiled
def moments(k: float, c: float, lower: float) -> tuple[float, float, float, float, float, float]:
    """Integrate exp(−k·y − c·w(y)) over y ≥ lower, for c > 0.

    Returns:
        The logarithm of the integral, and under the density it normalises the means of y and w, the variance
        of y, the covariance of y and w, and the variance of w.
    """
    peak = peak_at(k, c, lower)
    left = left_end(k, c, lower, peak)
    # The second moment of e^y is the integral with k − 2 in place of k, which reaches further out than the density.
    right = right_end(k - 2, c, lower)
    w_peak = excess(peak)
    top = -k * peak - c * w_peak
    total = sum_y = sum_w = sum_yy = sum_yw = sum_ww = 0.0
    for side in range(2):
        start, end = (left, peak) if side == 0 else (peak, right)
        if end <= start:
            continue
        panels = max(_PANELS, math.ceil(end - start))
        half = (end - start) / panels / 2
        for panel in range(panels):
            middle = start + (2 * panel + 1) * half
            for node in range(_NODES.size):
                y = middle + half * _NODES[node]
                w = excess(y)
                mass = half * _WEIGHTS[node] * math.exp(-k * y - c * w - top)
                # Moments about the peak: they don't cancel when the density is narrow and far from y = 0.
                dy = y - peak
                dw = w - w_peak
                total += mass
                sum_y += mass * dy
                sum_w += mass * dw
                sum_yy += mass * dy * dy
                sum_yw += mass * dy * dw
                sum_ww += mass * dw * dw
    mean_y = sum_y / total
    mean_w = sum_w / total
    return (
        top + math.log(total),
        peak + mean_y,
        w_peak + mean_w,
        sum_yy / total - mean_y * mean_y,
        sum_yw / total - mean_y * mean_w,
        sum_ww / total - mean_w * mean_w,
    )


@compiled
def _maximise(lower: float, spread: float, target: float, k: float, c: float) -> tuple[bool, float, float, float]:
    """Damped Newton from (k, c) to where the mean of y is 0 and that of w is `target`; `spread` is a unit of y.

    Returns:
        Whether it converged, k, c, and the logarithm of the integral.
    """
    log_integral, mean_y, mean_w, yy, yw, ww = moments(k, c, lower)
    for _ in range(_ITERATIONS):
        gap_y = mean_y
        gap_w = mean_w - target
        if abs(gap_y) <= _TOLERANCE * spread and abs(gap_w) <= _TOLERANCE * target:
            return True, k, c, log_integral
        determinant = yy * ww - yw * yw
        if not determinant > 0 or c < _SMALLEST_RATE:
            break
        # c may fall by many orders of magnitude, over which the moments change: bound its fall per step, and take
        # the best step in k for it.
        step_c = max((yy * gap_w - yw * gap_y) / determinant, -_LARGEST_FALL * c)
        step_k = (gap_y - yw * step_c) / yy
        decrease = step_k * gap_y + step_c * gap_w
        objective = log_integral + c * target
        size = 1.0
        while size > 1e-12:
            new_k = k + size * step_k
            # A step down is taken in ln c, so that c stays positive.
            new_c = c + size * step_c if step_c > 0 else c * math.exp(size * step_c / c)
            if new_c > 0:
                log_integral, mean_y, mean_w, yy, yw, ww = moments(new_k, new_c, lower)
                # Near the optimum the objective changes by less than its rounding error: take the full step.
                if decrease < 1e-10 or log_integral + new_c * target <= objective - 1e-4 * size * decrease:
                    break
            size /= 2
        k = new_k
        c = new_c
    return False, k, c, log_integral


@compiled
def _start(largest: float, lower: float, mean_ratio: float, target: float) -> tuple[float, float]:
    """The likelier of two (k, c): the exponential's optimum, and the power law's cut off at the largest point."""
    exponential_c = math.exp(-lower) / mean_ratio
    cut_off_c = math.exp(-largest)
    exponential = moments(exponential_c - 1, exponential_c, lower)[0] + exponential_c * target
    cut_off = moments(cut_off_c - 1 / lower, cut_off_c, lower)[0] + cut_off_c * target
    if exponential < cut_off:
        return exponential_c - 1, exponential_c
    return cut_off_c - 1 / lower, cut_off_c


@compiled
def fit(logs: np.ndarray, lower: float, alpha: float, rate: float) -> tuple[bool, float, float, float]:
    """Maximise the likelihood of a tail over α and Λ ≥ 0.

    Args:
        logs: ln x of the tail in any unit, ascending, not all equal.
        lower: ln xmin in the same unit, at most logs[0].
        alpha: starting value of α, such as a neighbour's fit.
        rate: starting value of Λ in the same unit; 0 to start at the likelier of two nested fits.

    Returns:
        Whether the fit converged; α; Λ; and the mean log-likelihood of ln x.
    """
    m = logs.size
    centre = logs.mean()
    spread = target = 0.0
    for j in range(m):
        y = logs[j] - centre
        spread += y * y
        target += excess(y)
    spread = math.sqrt(spread / m)
    target /= m
    if not spread > 0 or logs[-1] - lower > WIDEST:
        return False, 0.0, 0.0, 0.0
    # Λ = 0 is the answer when the power law's own mean of x, infinite for α ≤ 2, is at most the tail's.
    hill = 1 / (centre - lower)
    # The mean of x/xmin − 1, computed from the mean of w = e^y − 1 − y as two positive terms.
    mean_ratio = math.expm1(centre - lower) + math.exp(centre - lower) * target
    power_law = True, 1 + hill, 0.0, math.log(hill) - 1
    if hill > 1 and mean_ratio >= 1 / (hill - 1):
        return power_law
    c = rate * math.exp(centre)
    k = alpha - 1 + c
    if c < _SMALLEST_RATE:
        k, c = _start(logs[-1] - centre, lower - centre, mean_ratio, target)
    converged, k, c, log_integral = _maximise(lower - centre, spread, target, k, c)
    if c < _SMALLEST_RATE:
        return power_law
    return converged, 1 + k - c, c * math.exp(-centre), -log_integral - c * target

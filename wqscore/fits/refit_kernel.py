"""The compiled loops that resample a spectrum and refit its power law, hundreds of times per matrix.

A spectrum is given as its ascending logarithms, up to a constant. Draws come out ascending without sorting: drawn
indices are counted, and exponential draws are used as spacings. A refit equals `fit_power_law` of the same points.
"""

from __future__ import annotations

import numpy as np

from wqscore.fits.ks_kernel import tail_distance, tail_exponent
from wqscore.fits.rough_search import NONE, find_best, is_none_below, make_room, set_tails
from wqscore.spectra.jit import compiled


@compiled
def resample(logs: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Return the points whose indices were drawn, ascending."""
    counts = np.zeros(logs.size, dtype=np.int64)
    for index in drawn:
        counts[index] += 1
    points = np.empty(drawn.size)
    size = 0
    for index in range(logs.size):
        for _ in range(counts[index]):
            points[size] = logs[index]
            size += 1
    return points


@compiled
def power_law_points(exponentials: np.ndarray, alpha: float) -> np.ndarray:
    """Return ascending ln(λ/xmin) of draws from a power law, one for each standard exponential draw.

    ln(λ/xmin) is exponential with rate alpha − 1, and the spacings of m ordered exponentials are exponential,
    the k-th with rate m − k + 1 (Rényi 1953).
    """
    m = exponentials.size
    points = np.empty(m)
    total = 0.0
    for k in range(m):
        total += exponentials[k] / (m - k)
        points[k] = total / (alpha - 1.0)
    return points


@compiled
def refit(points: np.ndarray) -> tuple[float, float]:
    """Return alpha and D of the power law with xmin by the smallest D; NaN and infinity where there is no tail.

    Candidates are those of `tail_starts`: the first of each distinct value that leaves at least 10 terms and some
    extent.
    """
    room = make_room(points.size)
    size = set_tails(points, np.ones(points.size, dtype=np.int64), room)
    best = _best_of(points, find_best(room, size, 0))
    if best == NONE:
        return np.nan, np.inf
    logs, sums = _logs_and_sums(points)
    alpha = tail_exponent(logs, sums, best)
    return alpha, tail_distance(logs, best, alpha)


@compiled
def resampled_exponents(logs: np.ndarray, drawn: np.ndarray, exponents: np.ndarray) -> None:
    """Set the alpha of each resample, that of `refit`; NaN for one without a tail.

    Args:
        logs: of the spectrum, shape (N,).
        drawn: indices of the points of each resample, shape (resamples, N).
        exponents: shape (resamples,).
    """
    room, counts = make_room(logs.size), np.ones(logs.size, dtype=np.int64)
    whole = max(_best_of(logs, find_best(room, set_tails(logs, counts, room), 0)), 0)
    for k in range(drawn.shape[0]):
        counts[:] = 0
        for index in drawn[k]:
            counts[index] += 1
        # Where the tail of all points begins, that of a resample is seldom far.
        left = find_best(room, set_tails(logs, counts, room), counts[:whole].sum())
        best = left[0] if left.size == 1 else _best_of(resample(logs, drawn[k]), left)
        exponents[k] = np.nan if best == NONE else _exponent(logs, counts, best)


@compiled
def _exponent(logs: np.ndarray, counts: np.ndarray, best: int) -> float:
    """`tail_exponent` of a resample, of which no point but the best candidate's is needed."""
    last = logs.size - 1
    while counts[last] == 0:
        last -= 1
    left = counts.sum() - best
    m, total, log = left, 0.0, 0.0
    for index in range(last, -1, -1):
        if counts[index] > 0 and left > 0:
            log = logs[index] - logs[last]
            for _ in range(min(counts[index], left)):
                total += log
            left -= counts[index]
    exponent: float = 1.0 + m / (total - m * log)
    return exponent


@compiled
def draw_worse(
    rng: np.random.Generator, body: np.ndarray, alpha: float, n_tail: int, distance: float, worse: np.ndarray
) -> None:
    """Set whether the D of each draw from a fit is at least a distance: 1, 0, or −1 for a draw without a tail.

    Each of a draw's N points comes from the fitted power law with probability n_tail/N, and otherwise from the body.

    Args:
        rng: the numbers are those that its methods give when NumPy calls them.
        body: ascending ln(λ/xmin) of the points below xmin.
        alpha: of the fit.
        n_tail: points of its tail.
        distance: D of the fit.
        worse: int8, shape (draws,).
    """
    n = body.size + n_tail
    room, once, points = make_room(n), np.ones(n, dtype=np.int64), np.empty(n)
    for k in range(worse.size):
        drawn = rng.binomial(n, n_tail / n)
        points[n - drawn :] = power_law_points(rng.standard_exponential(drawn), alpha)
        if drawn < n:
            points[: n - drawn] = resample(body, rng.integers(0, body.size, n - drawn))
        answer, left = is_none_below(room, set_tails(points, once, room), n - drawn, distance)
        if left.size:
            logs, sums = _logs_and_sums(points)
            for i in left:
                if tail_distance(logs, i, tail_exponent(logs, sums, i)) < distance:
                    answer = 0
        worse[k] = answer


@compiled
def _best_of(points: np.ndarray, left: np.ndarray) -> int:
    """The candidate with the smallest D, the first of them where several share it; `NONE` where none is left."""
    if left.size == 1:
        return int(left[0])
    best, best_distance = NONE, np.inf
    logs, sums = _logs_and_sums(points)
    for i in left:
        distance = tail_distance(logs, i, tail_exponent(logs, sums, i))
        if distance < best_distance or (distance == best_distance and i < best):
            best, best_distance = i, distance
    return best


@compiled
def _logs_and_sums(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The points relative to the largest, and Σ of these from each on."""
    logs = points - points[-1]
    sums = np.empty(points.size)
    total = 0.0
    for j in range(points.size - 1, -1, -1):
        total += logs[j]
        sums[j] = total
    return logs, sums

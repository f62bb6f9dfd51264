"""The compiled loops that resample a spectrum and refit its power law, hundreds of times per matrix.

A spectrum is given as its ascending logarithms, up to a constant. Draws come out ascending without sorting: drawn
indices are counted, and exponential draws are used as spacings. A refit equals `fit_power_law` of the same points.
"""

from __future__ import annotations

import numpy as np

from wqscore.fits.ks_kernel import tail_distance, tail_exponent
from wqscore.fits.rough_search import BELOW, NO_TAIL, Room, make_room, search, set_tails
from wqscore.spectra.jit import compiled

#: Indices of points drawn again, shape (draws, N); standard exponential draws for points of a power law
#: (`power_law_points`), of the same shape; and how many of these a draw has. The rest of its N points are the others.
Draws = tuple[np.ndarray, np.ndarray, np.ndarray]
#: What there is of each refit: alpha, D, and how many points are below xmin.
_ALPHA, _DISTANCE, _BELOW = range(3)


def refit(points: np.ndarray) -> tuple[float, float]:
    """Return alpha and D of the power law with xmin by the smallest D; NaN and infinity where there is no tail.

    Candidates are those of `tail_starts`: the first of each distinct value that leaves at least 10 terms and some
    extent.

    Args:
        points: ascending logarithms.
    """
    found = _refits(points, np.arange(points.size)[None], 0)[0]
    alpha = float(found[_ALPHA])
    if np.isnan(alpha):
        return np.nan, np.inf
    return alpha, float(tail_distance(points - points[-1], int(found[_BELOW]), alpha))


def resampled_exponents(logs: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Return the alpha of each resample, that of `refit`; NaN for one without a tail.

    Args:
        logs: of the spectrum, shape (N,).
        drawn: indices of the points of each resample, shape (resamples, N).
    """
    # Where the tail of all points begins, that of a resample is seldom far.
    begin = _refits(logs, np.arange(logs.size)[None], 0)[0, _BELOW]
    alphas: np.ndarray = _refits(logs, drawn, 0 if np.isnan(begin) else int(begin))[:, _ALPHA]
    return alphas


def draw_worse(
    rng: np.random.Generator, body: np.ndarray, alpha: float, n_tail: int, distance: float, count: int
) -> np.ndarray:
    """Return whether the D of each draw from a fit is at least a distance: 1, 0, or −1 for a draw without a tail.

    Each of a draw's N points comes from the fitted power law with probability n_tail/N, and otherwise from the body.

    Args:
        rng: the generator.
        body: ascending ln(λ/xmin) of the points below xmin.
        alpha: of the fit.
        n_tail: points of its tail.
        distance: D of the fit.
        count: how many draws.
    """
    n = body.size + n_tail
    drawn, exponentials = np.empty((count, n), np.int64), np.empty((count, n))
    n_tails = np.empty(count, np.int64)
    for k in range(count):
        m = rng.binomial(n, n_tail / n)
        rng.standard_exponential(out=exponentials[k, :m])
        if m < n:
            drawn[k, : n - m] = rng.integers(body.size, size=n - m)
        n_tails[k] = m
    logs, found = np.concatenate([body, np.empty(n)]), np.full((count, 3), np.nan)
    refit_draws(
        logs, body.size, (drawn, exponentials, n_tails), alpha, body.size, distance, make_room(logs.size), found
    )
    worse = found[:, _DISTANCE] >= distance
    return np.where(np.isnan(found[:, _DISTANCE]), -1, worse).astype(np.int8)


def _refits(logs: np.ndarray, drawn: np.ndarray, begin: int) -> np.ndarray:
    found = np.full((len(drawn), 3), np.nan)
    draws = drawn, np.empty((len(drawn), 0)), np.zeros(len(drawn), np.int64)
    refit_draws(logs, logs.size, draws, np.nan, begin, np.inf, make_room(logs.size), found)
    return found


@compiled
def resample(logs: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Return the points whose indices were drawn, ascending."""
    counts, points = np.zeros(logs.size, dtype=np.int64), np.empty(drawn.size)
    for index in drawn:
        counts[index] += 1
    _spread(logs, counts, points)
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
def refit_draws(
    logs: np.ndarray,
    size: int,
    draws: Draws,
    alpha: float,
    begin: int,
    limit: float,
    room: Room,
    found: np.ndarray,
) -> None:
    """Refit each draw.

    Args:
        logs: of the points that are drawn again, and room for those drawn from a law.
        size: how many the first are.
        draws: the draws.
        alpha: of the law.
        begin: the search begins near the first point drawn again from this index on.
        limit: of D; infinite for alpha and the number of points below xmin.
        room: for a search among `logs`.
        found: shape (draws, 3), all NaN: alpha, D and the number of points below xmin. D only with a limit, and then
            nothing else: −inf and inf for some D below the limit, or above. NaN for a draw without a tail.
    """
    drawn, exponentials, n_tails = draws
    counts, space = np.ones(logs.size, dtype=np.int64), np.empty((3, drawn.shape[1]))
    for k in range(n_tails.size):
        for index in range(size):
            counts[index] = 0
        guess = np.int64(0)  # a literal would have `search` compiled once more, for that number
        for j in range(drawn.shape[1] - n_tails[k]):
            counts[drawn[k, j]] += 1
            guess += drawn[k, j] < begin
        total = 0.0
        for j in range(n_tails[k]):
            total += exponentials[k, j] / (n_tails[k] - j)
            logs[size + j] = total / (alpha - 1.0)
        end = size + n_tails[k]
        left = search(room, set_tails(logs[:end], counts[:end], room), guess, limit)
        if left == BELOW or (left == 0 and limit < np.inf):
            found[k, _DISTANCE] = -np.inf if left == BELOW else np.inf
        elif left == 1 and limit == np.inf:
            found[k, _ALPHA], found[k, _BELOW] = _exponent(logs, counts[:end], room[3][0]), room[3][0]
        elif left != NO_TAIL:
            best, exponent, distance = _best_of(logs, counts[:end], room[3][:left], space)
            if limit < np.inf:
                found[k, _DISTANCE] = distance
            else:
                found[k, _ALPHA], found[k, _BELOW] = exponent, best


@compiled
def _spread(logs: np.ndarray, counts: np.ndarray, points: np.ndarray) -> None:
    """Set the points of which there are so many of each."""
    size = 0
    for index in range(counts.size):
        for _ in range(counts[index]):
            points[size] = logs[index]
            size += 1


@compiled
def _exponent(logs: np.ndarray, counts: np.ndarray, below: int) -> float:
    """`tail_exponent` of a tail with so many points below it."""
    last, m = 0, -below
    for index in range(counts.size):
        m += counts[index]
        last = index if counts[index] > 0 else last
    left, total, log = m, 0.0, 0.0
    for index in range(last, -1, -1):
        if counts[index] > 0 and left > 0:
            log = logs[index] - logs[last]
            for _ in range(min(counts[index], left)):
                total += log
            left -= counts[index]
    exponent: float = 1.0 + m / (total - m * log)
    return exponent


@compiled
def _best_of(logs: np.ndarray, counts: np.ndarray, kept: np.ndarray, space: np.ndarray) -> tuple[int, float, float]:
    """The candidate with the smallest D, the first of them where several share it, its alpha and its D.

    Args:
        logs: as for `set_tails`.
        counts: the same.
        kept: the candidates.
        space: three rows, each for all points.
    """
    points, relative, sums = space[0], space[1], space[2]
    _spread(logs, counts, points)
    total = 0.0
    for j in range(points.size - 1, -1, -1):
        relative[j] = points[j] - points[points.size - 1]
        total += relative[j]
        sums[j] = total
    best, exponent, least = 0, np.nan, np.inf
    for k in range(kept.size):
        alpha = tail_exponent(relative, sums, kept[k])
        distance = tail_distance(relative, kept[k], alpha)
        if distance < least or (distance == least and kept[k] < best):
            best, exponent, least = kept[k], alpha, distance
    return best, exponent, least

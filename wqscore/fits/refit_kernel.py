"""The compiled loops that resample a spectrum and refit its power law, hundreds of times per matrix.

A spectrum is given as its ascending logarithms, up to a constant. Draws come out ascending without sorting: drawn
indices are counted, and exponential draws are used as spacings. A refit equals `fit_power_law` of the same points.
"""

from __future__ import annotations

import numpy as np

from wqscore.fits.ks_kernel import tail_exponent
from wqscore.fits.tail import MIN_EXTENT, MIN_TAIL
from wqscore.spectra.jit import compiled

#: The coarse pass looks at every N/32th candidate: enough for a tight first bound, too few to cost anything.
_COARSE_STEPS = 32
#: The law is computed at the first point of every block of this many; that suffices to rule out most blocks.
_BLOCK = 8
#: Returned for a candidate that is ruled out; no distance is larger than 1.
_OUT = 2.0


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
    n = points.size
    logs = points - points[-1]
    tail_sums = np.empty(n)
    total = 0.0
    for j in range(n - 1, -1, -1):
        total += logs[j]
        tail_sums[j] = total
    starts = np.empty(n, dtype=np.int64)
    count = 0
    for i in range(n - MIN_TAIL + 1):
        first = i == 0 or logs[i] > logs[i - 1]
        if first and np.expm1(-logs[i]) > MIN_EXTENT and tail_sums[i] > (n - i) * logs[i]:
            starts[count] = i
            count += 1
    if count == 0:
        return np.nan, np.inf
    return _best_fit(logs, tail_sums, starts[:count])


@compiled
def _best_fit(logs: np.ndarray, tail_sums: np.ndarray, starts: np.ndarray) -> tuple[float, float]:
    """Alpha and D of the candidate with the smallest D, the first of them where several share it.

    The search is that of `ks_kernel.best_candidate`, a coarse pass for a bound and then all from the right, but the
    distance looks at fewer points: on a true power law no candidate is bad enough to be ruled out early.
    """
    best, best_alpha, best_distance = -1, np.nan, np.inf
    hint = 0
    law = np.empty(logs.size // _BLOCK + 2)
    step = max(1, starts.size // _COARSE_STEPS)
    for coarse in (True, False):
        for position in range(starts.size - 1, -1, -1):
            if (position % step == 0) != coarse:
                continue
            i = starts[position]
            alpha = tail_exponent(logs, tail_sums, i)
            distance, hint = _distance_up_to(logs, i, alpha, best_distance, hint, law)
            if distance < best_distance or (distance == best_distance and i < best):
                best, best_alpha, best_distance = i, alpha, distance
    return best_alpha, best_distance


@compiled
def _distance_up_to(
    logs: np.ndarray, i: int, alpha: float, bound: float, hint: int, law: np.ndarray
) -> tuple[float, int]:
    """D_i if it is at most the bound, otherwise `_OUT`; and the point of the largest gap, to try first next time.

    Law and counts both rise, so that within a block no gap exceeds the law at its end minus the count at its
    beginning, or the reverse. `law` is scratch space, one value per block and one more.
    """
    m = logs.size - i
    if hint >= i and abs(_law(logs, i, alpha, hint) - (hint - i) / m) > bound:
        return _OUT, hint
    largest = 0.0
    blocks = 0
    for j in range(i, logs.size, _BLOCK):
        law[blocks] = _law(logs, i, alpha, j)
        gap = abs(law[blocks] - (j - i) / m)
        if gap > largest:
            largest, hint = gap, j
        blocks += 1
    law[blocks] = _law(logs, i, alpha, logs.size - 1)
    for block in range(blocks):
        if largest > bound:
            return _OUT, hint
        first = block * _BLOCK
        last = min(first + _BLOCK, m) - 1
        if max(law[block + 1] - first / m, last / m - law[block]) <= largest:
            continue
        for k in range(first + 1, last + 1):
            gap = abs(_law(logs, i, alpha, i + k) - k / m)
            if gap > largest:
                largest, hint = gap, i + k
    return (largest if largest <= bound else _OUT), hint


@compiled
def _law(logs: np.ndarray, i: int, alpha: float, j: int) -> float:
    """F(λ_j) = 1 − (λ_j/λ_i)^{1−α}."""
    value: float = 1.0 - np.exp((1.0 - alpha) * (logs[j] - logs[i]))
    return value

"""The search for the candidate for xmin with the smallest D, in single precision: which ones are left to compare.

A spectrum is given by its distinct values, each with how many points are at or above its first and its last point.
"""

from __future__ import annotations

import numpy as np

from wqscore.fits import rough_gaps
from wqscore.fits.tail import MIN_EXTENT, MIN_TAIL
from wqscore.spectra.jit import compiled

#: No candidate.
NONE = -1
_set_rates, _set_gaps = rough_gaps.set_rates, rough_gaps.set_gaps
_index_of_largest, _strike_out = rough_gaps.index_of_largest, rough_gaps.strike_out
#: A logarithm of a ratio beyond this is beyond the least extent for certain.
_SURELY_EXTENDED = 2 * MIN_EXTENT
_ZERO, _ONE = np.float32(0), np.float32(1)

#: Float64: the distinct values relative to the largest, and Σ ln(λ/xmin) of the tails from each on. Float32: these
#: values, points at or above the first and the last of each, rates, slacks, gaps, and 1 for a candidate that is left.
Room = tuple[np.ndarray, np.ndarray]


@compiled
def make_room(size: int) -> Room:
    """Room for the search among so many points."""
    return np.empty((2, size)), np.empty((7, size), dtype=np.float32)


@compiled
def set_tails(logs: np.ndarray, counts: np.ndarray, room: Room) -> int:
    """Set what the search needs, and return how many distinct values there are.

    Args:
        logs: ascending, shape (N,), up to a constant.
        counts: how many points there are of each, 0 or more.
        room: where to set it.
    """
    values, excesses = room[0][0], room[0][1]
    places, above, below = room[1][0], room[1][1], room[1][2]
    last = logs.size - 1
    while counts[last] == 0:
        last -= 1
    left, size, largest, before = counts.sum(), 0, logs[last], np.nan
    for j in range(last + 1):
        value, is_there = logs[j] - largest, counts[j] > 0
        is_equal = is_there & (value == before)
        size -= is_equal
        # Written in any case, and kept only if there is such a point: without a branch that none can foresee.
        values[size] = value
        places[size] = value
        above[size] = above[size] if is_equal else np.float32(left)
        left -= counts[j]
        below[size] = left + 1
        size += is_there
        before = value if is_there else before
    total = 0.0
    for c in range(size - 1, -1, -1):
        m = above[c]
        total += (m - (above[c + 1] if c < size - 1 else _ZERO)) * values[c]
        excesses[c] = total - m * values[c]
    return size


@compiled
def find_best(room: Room, size: int, guess: int) -> np.ndarray:
    """Return the candidates one of which has the smallest D, each by the number of points below it.

    Args:
        room: as `set_tails` sets it.
        size: how many distinct values there are.
        guess: the search begins at the first candidate that has so many points below it.
    """
    count = _set_candidates(room, size)
    kept, lower = np.empty(count, dtype=np.int64), np.empty(count)
    found, smallest, right, c = 0, np.inf, count, _begin(room, count, guess)
    while c != NONE:
        gap = _evaluate(room, size, c, np.float32(smallest), True)
        slack = room[1][4][c]
        kept[found], lower[found] = c, gap - slack
        found, smallest = found + 1, min(smallest, gap + slack)
        right = _next(room, right)
        c = right
    return _points_below(room, kept[:found][lower[:found] <= smallest])


@compiled
def is_none_below(room: Room, size: int, guess: int, limit: float) -> tuple[int, np.ndarray]:
    """Return whether the D of no candidate is below a limit, and for which candidates that is left open.

    Args:
        room: as for `find_best`.
        size: the same.
        guess: the same.
        limit: of D.

    Returns:
        1, 0, or −1 where there is no candidate; and those that are open, none of them for 0 and −1.
    """
    count = _set_candidates(room, size)
    kept = np.empty(count, dtype=np.int64)
    answer, found, right, c = -1, 0, count, _begin(room, count, guess)
    while c != NONE:
        answer = 1
        gap = _evaluate(room, size, c, np.float32(limit), False)
        slack = room[1][4][c]
        if gap + slack < limit:
            return 0, kept[:0]
        if gap - slack < limit:
            kept[found] = c
            found += 1
        right = _next(room, right)
        c = right
    return answer, _points_below(room, kept[:found])


@compiled
def _set_candidates(room: Room, size: int) -> int:
    """Set rates, slacks and who is left; return how many of the distinct values may be xmin: the first ones."""
    values, above = room[0][0], room[1][1]
    count = size
    while count > 0 and (
        above[count - 1] < MIN_TAIL
        or (-values[count - 1] < _SURELY_EXTENDED and not np.expm1(-values[count - 1]) > MIN_EXTENT)
    ):
        count -= 1
    _set_rates(room[0][1][:count], room[1][0][:count], above[:count], room[1][3][:count], room[1][4][:count])
    room[1][6][:count] = _ONE
    return count


@compiled
def _begin(room: Room, count: int, guess: int) -> int:
    """The first candidate with so many points below it; the last one where there is none, `NONE` without any."""
    above = room[1][1]
    low, high = 0, count - 1
    while low < high:
        middle = (low + high) // 2
        if above[0] - above[middle] < guess:
            low = middle + 1
        else:
            high = middle
    return low if count > 0 else NONE


@compiled
def _next(room: Room, count: int) -> int:
    """The last candidate that is left."""
    alive = room[1][6]
    for c in range(count - 1, -1, -1):
        if alive[c] > _ZERO:
            return c
    return NONE


@compiled
def _evaluate(room: Room, size: int, c: int, bound: np.float32, tighten: bool) -> np.float32:
    """Return D of a candidate, but for its slack; strike out all that fail where its own gap is largest.

    Args:
        room: as for `find_best`.
        size: the same.
        c: the candidate, which is struck out itself.
        bound: of D.
        tighten: whether no candidate is wanted whose D is larger than this one's either.
    """
    places, above, below, rates = room[1][0], room[1][1], room[1][2], room[1][3]
    slacks, gaps, alive, end = room[1][4], room[1][5], room[1][6], size
    _set_gaps(places[c:end], above[c:end], below[c:end], rates[c], gaps[c:end])
    at = c + _index_of_largest(gaps[c:end])
    gap: np.float32 = gaps[at] / above[c]
    if tighten:
        bound = min(bound, gap + slacks[c])
    upto = min(at + 1, alive.size)
    point = places[at], above[at], below[at]
    _strike_out(point, places[:upto], above[:upto], rates[:upto], slacks[:upto], bound, alive[:upto])
    alive[c] = _ZERO
    return gap


@compiled
def _points_below(room: Room, candidates: np.ndarray) -> np.ndarray:
    above = room[1][1]
    below = np.empty(candidates.size, dtype=np.int64)
    for k in range(candidates.size):
        below[k] = int(above[0] - above[candidates[k]])
    return below

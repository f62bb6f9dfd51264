"""The search for the candidate for xmin with the smallest D, in single precision: which ones are left to compare.

A spectrum is given by its distinct values, each with how many points are at or above its first and its last point.
"""

from __future__ import annotations

import numpy as np

from wqscore.fits import rough_gaps
from wqscore.fits.rough_gaps import ERROR_OF_LOGS, OWN_ERROR
from wqscore.fits.tail import MIN_EXTENT, MIN_TAIL
from wqscore.spectra.jit import compiled

#: What a search finds instead of candidates: there are none; one has a D below the limit for certain.
NO_TAIL, BELOW = -1, -2
_set_gaps, _index_of_largest, _strike_out = rough_gaps.set_gaps, rough_gaps.index_of_largest, rough_gaps.strike_out
#: A logarithm of a ratio beyond this is beyond the least extent for certain.
_SURELY_EXTENDED = 2 * MIN_EXTENT
_ZERO, _ONE = np.float32(0), np.float32(1)
#: Float64: the distinct values relative to the largest, Σ ln(λ/xmin) of the tails from each on, and room for least D.
#: Float32: these values, points at or above the first and the last of each, rates, slacks, gaps, and 1 for a
#: candidate that is left. The bits of the gaps. The candidates that are found, each by the points below it.
Room = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def make_room(size: int) -> Room:
    """Room for the search among so many values."""
    single = np.empty((7, size), dtype=np.float32)
    return np.empty((3, size)), single, single[5].view(np.int32), np.empty(size, dtype=np.int64)


@compiled
def set_tails(logs: np.ndarray, counts: np.ndarray, room: Room) -> int:
    """Set what the search needs, and return how many distinct values there are.

    Args:
        logs: ascending, shape (N,), up to a constant.
        counts: how many points there are of each, 0 or more, not all 0.
        room: where to set it.
    """
    values, excesses = room[0][0], room[0][1]
    places, above, below = room[1][0], room[1][1], room[1][2]
    last, left = -1, 0
    for j in range(logs.size):
        left += counts[j]
        last = j if counts[j] > 0 else last
    size, largest, before = 0, logs[last], np.nan
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
    total, beyond = 0.0, _ZERO
    for c in range(size - 1, -1, -1):
        total += (above[c] - beyond) * values[c]
        beyond = above[c]
        excesses[c] = total - beyond * values[c]
    return size


@compiled
def search(room: Room, size: int, guess: int | np.int64, limit: float) -> int:
    """Find the candidates one of which has the smallest D, or those whose D may be below a limit.

    Args:
        room: as `set_tails` sets it.
        size: how many distinct values there are.
        guess: the search begins at the first candidate that has so many points below it.
        limit: of D; infinite for the smallest one.

    Returns:
        How many are found; `NO_TAIL`, or `BELOW`.
    """
    values, excesses, lower = room[0][0], room[0][1], room[0][2]
    places, above, below = room[1][0], room[1][1], room[1][2]
    rates, slacks, gaps, alive = room[1][3], room[1][4], room[1][5], room[1][6]
    bits, kept = room[2], room[3]
    count, begin = 0, 0
    while count < size and above[count] >= MIN_TAIL:
        if -values[count] < _SURELY_EXTENDED and not np.expm1(-values[count]) > MIN_EXTENT:
            break
        rates[count] = above[count] / excesses[count]
        slacks[count] = OWN_ERROR - ERROR_OF_LOGS * rates[count] * places[count]
        alive[count] = _ONE
        begin += above[0] - above[count] < guess
        count += 1
    if count == 0:
        return NO_TAIL
    found, smallest, right, c = 0, limit, count, min(begin, count - 1)
    while c >= 0:
        _set_gaps(places[c:size], above[c:size], below[c:size], rates[c], gaps[c:size])
        at = c + _index_of_largest(bits[c:size])
        gap = gaps[at] / above[c]
        if limit == np.inf:
            smallest = min(smallest, gap + slacks[c])
        elif gap + slacks[c] < limit:
            return BELOW
        # Where this one's gap is largest, others fail.
        end, point = min(at + 1, count), (places[at], above[at], below[at])
        _strike_out(point, places[:end], above[:end], rates[:end], slacks[:end], np.float32(smallest), alive[:end])
        alive[c] = _ZERO
        kept[found] = int(above[0] - above[c])
        lower[found] = gap - slacks[c]
        found += 1
        right -= 1
        while right >= 0 and alive[right] == _ZERO:
            right -= 1
        c = right
    left = 0
    for k in range(found):
        if lower[k] <= smallest:
            kept[left] = kept[k]
            left += 1
    return left

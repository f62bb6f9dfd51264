"""Medians of many short columns at once: a network of comparisons sorts all columns together."""

from __future__ import annotations

from functools import cache

import numpy as np

from wqscore.spectra.jit import compiled

#: Columns sorted together, which stay in the processor's cache.
_WIDTH = 256
#: Longer columns are partitioned one by one: their network would take longer to put together.
_LONGEST = 1024


def medians(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Take the median of each column, NaN left out.

    Args:
        values: float32, row-major, shape (n, columns); sorted in place where it has no NaN.

    Returns:
        The medians, NaN where there is none; the root mean square deviations from them, of n − 1; and how many
        numbers there were.
    """
    count, columns = values.shape
    found, spread = np.empty(columns, np.float32), np.empty(columns, np.float32)
    known = ~np.isnan(values)
    counts = known.sum(axis=0)
    whole = counts == count
    if 0 < count <= _LONGEST and whole.all():
        _sort_and_take(values, _network(count), found, spread)
        return found, spread, counts
    if 0 < count <= _LONGEST and whole.any():
        found[whole], spread[whole], _ = medians(np.ascontiguousarray(values[:, whole]))
    for column in np.flatnonzero(~whole | (not 0 < count <= _LONGEST)):
        kept = values[known[:, column], column]
        found[column] = np.median(kept) if kept.size else np.nan
        spread[column] = np.sqrt(np.square(kept - found[column]).sum() / max(1, kept.size - 1))
    return found, spread, counts


@compiled
def _sort_and_take(values: np.ndarray, network: np.ndarray, found: np.ndarray, spread: np.ndarray) -> None:
    count = values.shape[0]
    for start in range(0, values.shape[1], _WIDTH):
        end = min(start + _WIDTH, values.shape[1])
        for step in range(network.shape[0]):
            one, other = values[network[step, 0], start:end], values[network[step, 1], start:end]
            for j in range(end - start):
                low, high = one[j], other[j]
                one[j] = low if low < high else high
                other[j] = high if low < high else low
        middle, before = values[count // 2, start:end], values[(count - 1) // 2, start:end]
        for j in range(end - start):
            found[start + j] = (middle[j] + before[j]) / 2
            spread[start + j] = 0
        for k in range(count):
            row = values[k, start:end]
            for j in range(end - start):
                deviation = row[j] - found[start + j]
                spread[start + j] += deviation * deviation
        for j in range(start, end):
            spread[j] = np.sqrt(spread[j] / max(1, count - 1))


@cache
def _network(count: int) -> np.ndarray:
    """The pairs of places to compare, in order, that sort `count` numbers: Batcher's odd-even merge exchange.

    Source: Knuth, The Art of Computer Programming, volume 3, algorithm 5.2.2M.
    """
    pairs: list[tuple[int, int]] = []
    top = 1 << max(0, (count - 1).bit_length() - 1)
    p = top
    while p:
        q, r, d = top, 0, p
        while True:
            pairs += [(i, i + d) for i in range(count - d) if i & p == r]
            if q == p:
                break
            d, q, r = q - p, q // 2, p
        p //= 2
    return np.array(pairs, np.int64).reshape(-1, 2)

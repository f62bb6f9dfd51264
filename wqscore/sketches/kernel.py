"""The compiled loops of the count-sketch: a hash gives each entry of a matrix one of 128 buckets and a sign.

One 64-bit hash of seed, row and column/8 serves eight entries, a byte each: its lowest bit is the sign, the others
are the bucket. Sums of one byte's entries are kept apart, so that no entry is multiplied.
"""

from __future__ import annotations

import numpy as np

from wqscore.spectra.jit import compiled

#: Decides the hash: sketches of another seed can't be compared with these.
SEED = 20260101
_SEED = np.uint64(SEED)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_BYTE, _BITS = np.uint64(255), np.uint64(8)
_SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31))


@compiled
def mixed(value: np.uint64) -> np.uint64:
    """SplitMix64's finaliser (Steele, Lea & Flood, OOPSLA 2014)."""
    value = value + _GOLDEN
    value = (value ^ (value >> _SHIFTS[0])) * _FIRST
    value = (value ^ (value >> _SHIFTS[1])) * _SECOND
    return value ^ (value >> _SHIFTS[2])


@compiled
def add_rows(rows: np.ndarray, first: int, sums: np.ndarray) -> int:
    """Add the entries of some rows to the sums of their bytes.

    Args:
        rows: float32 or float64, row-major, shape (some, columns).
        first: the index of their first in the matrix.
        sums: float64, shape (256,); added to.

    Returns:
        How many entries are 0.
    """
    zeros = 0
    for i in range(rows.shape[0]):
        of_row = mixed(np.uint64(first + i) + _SEED)
        for start in range(0, rows.shape[1], 8):
            code = mixed(of_row ^ (np.uint64(start) * _GOLDEN))
            for j in range(start, min(start + 8, rows.shape[1])):
                value = rows[i, j]
                sums[code & _BYTE] += value
                zeros += value == 0
                code >>= _BITS
    return zeros


@compiled
def add_columns(columns: np.ndarray, first: int, sums: np.ndarray) -> int:
    """The same for rows that are stored column by column.

    Args:
        columns: float32 or float64, row-major, shape (columns, some rows).
        first: the index of the first row in the matrix.
        sums: as for `add_rows`.
    """
    zeros = 0
    for start in range(0, columns.shape[0], 8):
        for i in range(columns.shape[1]):
            code = mixed(mixed(np.uint64(first + i) + _SEED) ^ (np.uint64(start) * _GOLDEN))
            for j in range(start, min(start + 8, columns.shape[0])):
                value = columns[j, i]
                sums[code & _BYTE] += value
                zeros += value == 0
                code >>= _BITS
    return zeros


@compiled
def add_codes(codes: np.ndarray, first: int, sums: np.ndarray, values: np.ndarray) -> int:
    """The same for entries of 16 bits, given as codes, with the value of each of the 65,536 codes."""
    zeros = 0
    for i in range(codes.shape[0]):
        of_row = mixed(np.uint64(first + i) + _SEED)
        for start in range(0, codes.shape[1], 8):
            code = mixed(of_row ^ (np.uint64(start) * _GOLDEN))
            for j in range(start, min(start + 8, codes.shape[1])):
                value = values[codes[i, j]]
                sums[code & _BYTE] += value
                zeros += value == 0
                code >>= _BITS
    return zeros

"""Find NaN, infinities, and zero, constant and repeated rows in a stored matrix, blockwise and without copying it.

The bits of a floating-point number without its sign are ordered as its magnitude is, with infinity and then NaN above
every number (IEEE 754; also bfloat16). So the largest unsigned integer of a row or column shows whether it is all
zero or not finite. Constant and repeated rows are searched for among those that agree in a few entries.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

#: Entries of a block: few enough to stay in the CPU cache.
_BLOCK = 1 << 17
#: Shorter rows and columns may be constant or equal by chance, above all with 16-bit entries.
SHORTEST = 16
#: Entries in which rows must agree to be compared whole, and matrices to be read again.
_SAMPLED, _FINGERPRINT = 8, 1024
#: 2⁶⁴ over the golden ratio: its powers spread a row's entries over 64 bits.
_MULTIPLIER = 0x9E3779B97F4A7C15


@dataclass(frozen=True)
class Lines:
    """Indices of rows or columns with a problem, each index in one of the three.

    Attributes:
        zero: all entries are 0; at least two entries.
        constant: all entries are the same finite number, not 0; at least `SHORTEST` entries.
        repeated: finite, bit for bit equal to an earlier one, and neither of the above; at least `SHORTEST` entries.
    """

    zero: tuple[int, ...] = ()
    constant: tuple[int, ...] = ()
    repeated: tuple[int, ...] = ()


@dataclass(frozen=True)
class Contents:
    """The special values, rows and columns of a matrix.

    Attributes:
        size: the number of entries.
        nan: number of entries that are NaN.
        positive: number of entries that are +∞.
        negative: number of entries that are −∞.
        value: the finite number that all entries equal, `None` where they differ.
        rows: rows with a problem; empty for a matrix that is all one number.
        columns: columns with a problem; empty for a matrix that is all one number.
    """

    size: int
    nan: int
    positive: int
    negative: int
    value: float | None
    rows: Lines = Lines()
    columns: Lines = Lines()


def examine(matrix: np.ndarray) -> Contents:
    """Examine a matrix.

    Args:
        matrix: shape (rows, columns), of any floating-point dtype, those of ml_dtypes included; not empty.

    Example:
        >>> matrix = np.random.default_rng(0).standard_normal((20, 20))
        >>> matrix[3], matrix[9], matrix[5, 5] = 0, matrix[4], np.nan
        >>> found = examine(matrix)
        >>> found.nan, found.rows
        (1, Lines(zero=(3,), constant=(), repeated=(9,)))
    """
    bits, infinity = _bits(matrix)
    all_but_sign = np.iinfo(bits.dtype).max >> 1
    of_rows, of_columns = np.zeros(len(bits), bits.dtype), np.zeros(bits.shape[1], bits.dtype)
    nan = positive = negative = 0
    for rows, columns in _blocks(*bits.shape):
        block = bits[rows, columns]
        magnitude = block & all_but_sign
        largest = magnitude.max(axis=1)
        np.maximum(of_rows[rows], largest, out=of_rows[rows])
        np.maximum(of_columns[columns], magnitude.max(axis=0), out=of_columns[columns])
        if largest.max() >= infinity:
            nan += int((magnitude > infinity).sum())
            positive += int((block == infinity).sum())
            negative += int(((magnitude == infinity) & (block != infinity)).sum())
    value = _only_value(matrix, bits, of_rows, infinity)
    if value is not None:
        return Contents(matrix.size, nan, positive, negative, value)
    bad_rows, bad_columns = _problems(bits, of_rows, infinity), _problems(bits.T, of_columns, infinity)
    return Contents(matrix.size, nan, positive, negative, None, bad_rows, bad_columns)


def fingerprint(matrix: np.ndarray) -> bytes:
    """Return a digest of a matrix's shape, dtype and sampled entries: equal for equal matrices, seldom for others."""
    rows, columns = np.unravel_index(np.linspace(0, matrix.size - 1, _FINGERPRINT, dtype=np.int64), matrix.shape)
    sample = hashlib.sha256(f"{matrix.dtype.name}{matrix.shape}".encode())
    sample.update(matrix[rows, columns].tobytes())
    return sample.digest()


def digest(matrix: np.ndarray) -> bytes:
    """Return the SHA-256 of all entries in row-major order, and of the shape and the dtype."""
    whole = hashlib.sha256(f"{matrix.dtype.name}{matrix.shape}".encode())
    whole.update(np.ascontiguousarray(matrix).view(np.uint8).data)
    return whole.digest()


def _bits(matrix: np.ndarray) -> tuple[np.ndarray, int]:
    """A view of the entries' bits as unsigned integers, and the bits of +∞."""
    unsigned = np.dtype(f"u{matrix.dtype.itemsize}")
    return matrix.view(unsigned), int(np.array(np.inf, matrix.dtype).view(unsigned))


def _blocks(rows: int, columns: int) -> Iterator[tuple[slice, slice]]:
    """Blocks of several whole rows, or of a part of one row."""
    step = max(1, _BLOCK // columns)
    for top in range(0, rows, step):
        for left in range(0, columns, _BLOCK):
            yield slice(top, top + step), slice(left, left + _BLOCK)


def _only_value(matrix: np.ndarray, bits: np.ndarray, largest: np.ndarray, infinity: int) -> float | None:
    """The finite number that all entries equal, or `None`."""
    if not largest.any():
        return 0.0
    first = bits[0, 0]
    one = bool((largest == largest[0]).all()) and largest[0] < infinity and (bits[:, 0] == first).all()
    if one and all((bits[rows, columns] == first).all() for rows, columns in _blocks(*bits.shape)):
        return float(matrix[0, 0])
    return None


def _problems(bits: np.ndarray, largest: np.ndarray, infinity: int) -> Lines:
    """The zero, constant and repeated rows of these bits, given the largest magnitude in each row."""
    length = bits.shape[1]
    zero = largest == 0
    if length < SHORTEST:
        return Lines(_indices(zero) if length > 1 else ())
    sample = bits[:, _sampled(length)]
    others = (largest < infinity) & ~zero
    constant = (sample[:, 0] == sample[:, -1]) & others
    for row in _indices(constant):
        constant[row] = (bits[row] == bits[row, 0]).all()
    others &= ~constant
    return Lines(_indices(zero), _indices(constant), _repeated(bits, others, _keys(sample)))


@lru_cache(maxsize=64)
def _sampled(length: int) -> np.ndarray:
    """The columns in which rows are compared first."""
    return np.linspace(0, length - 1, _SAMPLED, dtype=np.int64)


@lru_cache(maxsize=1)
def _multipliers() -> np.ndarray:
    return np.array([pow(_MULTIPLIER, power, 1 << 64) for power in range(1, _SAMPLED + 1)], np.uint64)


def _keys(sample: np.ndarray) -> np.ndarray:
    """A hash of each row, equal where the rows are."""
    # Integers wrap around at 2⁶⁴, as intended.
    keys: np.ndarray = sample.astype(np.uint64) @ _multipliers()
    return keys


def _repeated(bits: np.ndarray, candidates: np.ndarray, keys: np.ndarray) -> tuple[int, ...]:
    """The candidates that equal an earlier one; only those with equal keys are compared."""
    ordered = np.sort(keys)
    twice = ordered[1:][ordered[1:] == ordered[:-1]]
    if not twice.size:
        return ()
    seen: set[bytes] = set()
    found = []
    for row in _indices(np.isin(keys, twice) & candidates):
        content = hashlib.sha256(np.ascontiguousarray(bits[row]).data).digest()
        if content in seen:
            found.append(row)
        seen.add(content)
    return tuple(found)


def _indices(flags: np.ndarray) -> tuple[int, ...]:
    return tuple(np.flatnonzero(flags).tolist()) if flags.any() else ()

"""The count-sketch of a matrix: 128 sums of its entries with random signs, whose cosine estimates that of matrices.

Charikar, Chen & Farach-Colton, "Finding frequent items in data streams" (ICALP 2002). A hash of seed, row and column
decides bucket and sign, so that nothing is kept beside the sketch, and shards can be read in any order.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import numpy as np

from wqscore.sketches.kernel import add_codes, add_columns, add_rows

#: The cosine of unrelated matrices' sketches has the standard error 1/√128 = 0.09.
BUCKETS = 128
#: Entries converted at a time.
_BLOCK = 1 << 17


def count_sketch(values: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the sums of the buckets, shape (BUCKETS,), float64, and how many entries are 0.

    The sums are linear in the matrix. They are not finite where an entry is not.

    Args:
        values: shape (slices, rows, columns), of any real float type; rows are counted through the slices.
    """
    height = max(1, _BLOCK // values.shape[-1])
    return sketch_of_blocks(each[start : start + height] for each in values for start in range(0, len(each), height))


def sketch_of_blocks(blocks: Iterable[np.ndarray]) -> tuple[np.ndarray, int]:
    """Return the same as `count_sketch` of a matrix that comes in blocks of rows."""
    sums = np.zeros(2 * BUCKETS)
    first = zeros = 0
    for block in blocks:
        zeros += int(_add(block, first, sums))
        first += len(block)
    with np.errstate(invalid="ignore"):
        return sums[::2] - sums[1::2], zeros


def _add(block: np.ndarray, first: int, sums: np.ndarray) -> int:
    is_transposed = block.strides[0] == block.itemsize < block.strides[1]
    if block.dtype == np.float16 and not is_transposed:
        return add_codes(np.ascontiguousarray(block).view(np.uint16), first, sums, _of_halves())
    kept = block.dtype if block.dtype in (np.float32, np.float64) else np.dtype(np.float32)
    # Kernels are compiled for writable arrays of the machine's own byte order.
    found = np.require(block.T if is_transposed else block, kept.newbyteorder("="), ["C", "W"])
    return (add_columns if is_transposed else add_rows)(found, first, sums)


@cache
def _of_halves() -> np.ndarray:
    """The values of all codes of float16, whose conversion is slow."""
    return np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float32)

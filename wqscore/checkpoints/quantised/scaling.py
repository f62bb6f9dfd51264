"""Compute weights from codes: w = (q − z)·s, with a scale and a zero point for each block of rows and columns."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

#: Weights computed at a time: a few megabytes besides the result.
_AT_A_TIME = 2**20


def block_size(length: int, blocks: int, sizes: Collection[int]) -> int | None:
    """Find the size of the blocks that a side of a matrix is divided into; the last block may be shorter.

    Args:
        length: the length of the side.
        blocks: the number of blocks, one for each scale.
        sizes: the positive sizes that the configuration names.

    Returns:
        The one of `sizes` that gives so many blocks; a single block, or blocks of size 1, need not be in `sizes`.
        `None` if no size or several sizes fit.

    Example:
        >>> block_size(300, 3, [128]), block_size(300, 1, []), block_size(300, 4, [128])
        (128, 300, None)
    """
    if blocks in {1, length}:
        return length // blocks
    fitting = {size for size in sizes if -(-length // size) == blocks}
    return fitting.pop() if len(fitting) == 1 else None


def block_numbers(length: int, size: int) -> np.ndarray:
    """The block of each index of a side, shape (length,)."""
    return np.arange(length) // size


def dequantise(
    codes: np.ndarray, scales: np.ndarray, zeros: np.ndarray | None, rows: np.ndarray, columns: np.ndarray
) -> np.ndarray:
    """Compute w_ij = (q_ij − z_rc)·s_rc in float32, with r and c the blocks of row i and column j.

    Args:
        codes: q, (out, in), of any real type.
        scales: s, (row blocks, column blocks).
        zeros: z, of the scales' shape; `None` for 0.
        rows: the block of each row, (out,).
        columns: the block of each column, (in,).

    Returns:
        (out, in), float32; not finite where a scale is not.
    """
    weights = np.empty(codes.shape, dtype=np.float32)
    step = max(1, _AT_A_TIME // max(1, codes.shape[1]))
    with np.errstate(over="ignore", invalid="ignore"):
        scales = np.asarray(scales, dtype=np.float32)
        zeros = None if zeros is None else np.asarray(zeros, dtype=np.float32)
        for start in range(0, codes.shape[0], step):
            block = slice(start, start + step)
            part = codes[block].astype(np.float32)
            if zeros is not None:
                part -= zeros[rows[block]][:, columns]
            part *= scales[rows[block]][:, columns]
            weights[block] = part
    return weights

"""What a matrix loses when its weights are rounded to few bits, each row with a scale of its own."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan, sqrt

import numpy as np

#: The bits that are measured.
BITS = (8, 4, 3, 2)
#: Entries rounded at a time.
_BLOCK = 1 << 20


def rounding_errors(values: np.ndarray, bits: Sequence[int] = BITS) -> tuple[float, ...]:
    """Return ‖W − Ŵ‖_F/‖W‖_F for Ŵ = s·round(W/s), s the largest entry of each row ÷ (2^(b−1) − 1).

    Round to nearest, symmetric, without zero point, groups or calibration: what methods with these improve on. The
    row of a convolution is all that one output reads.

    Args:
        values: W, shape (slices, rows, columns), any float type.
        bits: b, from 2 on.

    Returns:
        The error at each number of bits; NaN for a matrix of zeros, or with a weight that is not finite.
    """
    _, rows, columns = values.shape
    lost, whole = np.zeros(len(bits)), 0.0
    height = max(1, _BLOCK // (values.shape[0] * columns))
    for start in range(0, rows, height):
        block = values[:, start : start + height].astype(np.float64)
        peaks = np.abs(block).max(axis=(0, 2))[None, :, None]
        with np.errstate(invalid="ignore", over="ignore"):
            whole += float(np.square(block).sum())
            lost += [_lost(block, peaks, 2 ** (each - 1) - 1) for each in bits]
    defined = 0 < whole < np.inf
    return tuple(sqrt(each / whole) if defined else nan for each in lost)


def _lost(block: np.ndarray, peaks: np.ndarray, levels: int) -> float:
    """‖W − Ŵ‖_F² of some rows; a row of zeros loses nothing."""
    steps = np.where(peaks > 0, peaks, 1.0) / levels
    return float(np.square(block - steps * np.round(block / steps)).sum())

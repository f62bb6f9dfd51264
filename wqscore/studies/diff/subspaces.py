"""How far the leading singular subspaces of two matrices are the same."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

import numpy as np

from wqscore.spectra.vectors import singular_vectors

#: A singular value below this share of the largest has no direction that its Gram matrix resolves.
_RESOLUTION = 1e-7


@dataclass(frozen=True)
class Overlap:
    """The overlap of two leading subspaces, each between 0 and 1; NaN where one of them isn't defined.

    Attributes:
        left: ‖U_kᵀU'_k‖_F²/k, of the left singular vectors; k/rows by chance.
        right: ‖V_kᵀV'_k‖_F²/k, of the right ones; k/columns by chance.
    """

    left: float
    right: float


#: Where there is nothing to compare.
UNDEFINED = Overlap(nan, nan)
#: Of a matrix with itself.
SAME = Overlap(1.0, 1.0)


def leading_count(rows: int, columns: int, most: int) -> int:
    """How many leading directions are compared: at most a quarter of the smaller side."""
    return min(most, min(rows, columns) // 4)


def overlap(one: np.ndarray, other: np.ndarray, count: int) -> Overlap:
    """Return the overlap of the leading subspaces; of a convolution's slices, the mean.

    Args:
        one: shape (slices, rows, columns).
        other: of the same shape.
        count: k, the number of directions; 0 for none.
    """
    if not count:
        return UNDEFINED
    found = [_overlap(a, b, count) for a, b in zip(one, other, strict=True)]
    return Overlap(*(float(np.mean(each)) for each in zip(*found, strict=True)))


def _overlap(one: np.ndarray, other: np.ndarray, count: int) -> tuple[float, float]:
    first, second = leading(one, count), leading(other, count)
    if first is None or second is None:
        return nan, nan
    left, right = (float(np.square(a.T @ b).sum()) / count for a, b in zip(first, second, strict=True))
    return left, right


def leading(matrix: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the leading left and right singular vectors; `None` if there are fewer directions, or a NaN.

    Args:
        matrix: shape (rows, columns).
        count: how many.

    Returns:
        Shapes (rows, count) and (columns, count), float64, with orthonormal columns.
    """
    eigenvalues, smaller = singular_vectors(matrix, count)
    if not eigenvalues.size or not eigenvalues[0] > _RESOLUTION**2 * eigenvalues[-1]:
        return None
    # Of a square matrix, and of a wide one, the vectors are the left ones.
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    larger, _ = np.linalg.qr(wide.T.astype(np.float64) @ smaller)
    return (smaller, larger) if wide is matrix else (larger, smaller)

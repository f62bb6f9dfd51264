"""The largest eigenvalues of a symmetric matrix with their vectors, without the others'.

Source: Dhillon, Parlett & Vömel, "The design and implementation of the MRRR algorithm", ACM TOMS 32 (2006): LAPACK's
`dsyevr`.
"""

from __future__ import annotations

import numpy as np

from wqscore.spectra.lapack import fortran


def leading_eigenvectors(matrix: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest eigenvalues, ascending, and their vectors; the matrix is overwritten.

    Args:
        matrix: float64, row-major, shape (N, N), symmetric and finite.
        count: how many, from 1 to N.

    Returns:
        Shapes (count,) and (N, count), with orthonormal columns.

    Raises:
        np.linalg.LinAlgError: they don't converge.

    Example:
        >>> values, vectors = leading_eigenvectors(np.diag([2.0, 5.0, 3.0]), 2)
        >>> values.round(12).tolist(), abs(vectors).argmax(axis=0).tolist()
        ([3.0, 5.0], [2, 1])
    """
    side = len(matrix)
    values, vectors = np.empty(side), np.empty((count, side))
    found, support, unused = np.empty(1, np.int32), np.empty(2 * count, np.int32), np.zeros(1)
    by_index = (unused, unused, side - count + 1, side, unused, found)
    first = (b"V", b"I", b"L", side, matrix, side, *by_index, values, vectors, side, support)
    space, integers = np.empty(1), np.empty(1, np.int32)
    fortran("dsyevr", *first, space, -1, integers, -1)
    space, integers = np.empty(int(space[0])), np.empty(int(integers[0]), np.int32)
    fortran("dsyevr", *first, space, space.size, integers, integers.size)
    return values[:count], vectors.T

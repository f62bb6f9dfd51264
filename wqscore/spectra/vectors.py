"""The singular vectors of a weight matrix on its smaller side."""

from __future__ import annotations

import numpy as np

from wqscore.spectra.eigenvalues import gram
from wqscore.spectra.leading import leading_eigenvectors


def singular_vectors(matrix: np.ndarray, count: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Compute the eigenvalues and the eigenvectors of the Gram matrix of W's smaller side, N×N.

    They are the right singular vectors of a tall W, the left ones of a wide W, so that W and its transpose give the
    same. Of a square W they are the left ones, as in WeightWatcher: those of the outputs where W is stored (out, in).

    A vector's sign is arbitrary, and so is the basis of vectors whose eigenvalues are equal, those of the null space
    of a rank-deficient W among them.

    Args:
        matrix: W, one slice of a convolution; any real float dtype.
        count: how many of the largest, from 1 to N; all if `None`. A few take a third of the time of all.

    Returns:
        The eigenvalues λ of WᵀW, shape (N,) or (count,), ascending, and the vectors of unit length, shape (N, N) or
        (N, count), the j-th column that of the j-th eigenvalue; float64. Both are empty, (0,) and (N, 0), when an
        entry or a sum of squares is not finite.

    Example:
        >>> eigenvalues, vectors = singular_vectors(np.diag([3.0, 1.0, 2.0]))
        >>> eigenvalues.round(12).tolist(), abs(vectors).argmax(axis=0).tolist()
        ([1.0, 4.0, 9.0], [1, 2, 0])
    """
    product = gram(matrix.T)
    if not np.isfinite(product).all():
        return np.empty(0), np.empty((product.shape[0], 0))
    eigenvalues, vectors = np.linalg.eigh(product) if count is None else leading_eigenvectors(product, count)
    return np.maximum(eigenvalues, 0.0), vectors

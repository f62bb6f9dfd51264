"""How far a weight matrix has moved from the same matrix of a base or initial checkpoint."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite, nan

import numpy as np

from wqscore.spectra.eigenvalues import BLOCK_ROWS, gram_of_blocks
from wqscore.spectra.lanczos import largest_eigenvalue


def squared_distances(weights: np.ndarray, base: np.ndarray) -> tuple[float, float]:
    """Compute ‖W − W₀‖_F² and ‖W − W₀‖₂².

    Both come from the Gram matrix of the difference, formed in float64 a block of rows at a time: the first is its
    trace, the second its largest eigenvalue by Lanczos steps (relative error 1e-9). For a convolution the first sums
    over slices; the second is that of the slice that moved most, as λ_max is that of the largest slice. (Published
    code takes the norm of the kernel reshaped to out × in·kh·kw, between this one and kh·kw times as much.)

    Summed over a model's matrices they are `fro_dist` and `spectral_dist`, equations 40 and 41 of Jiang et al.,
    "Fantastic generalization measures and where to find them" (ICLR 2020).

    Args:
        weights: shape (slices, rows, columns), any real float dtype.
        base: the same shape, any real float dtype.

    Returns:
        Both in squared units of the weights, (0, 0) for equal weights; NaN when an entry, or a sum of squares, is
        not finite. Differences under 1e-160 count as 0: their squares underflow.

    Raises:
        ValueError: the shapes differ.

    Example:
        >>> both = squared_distances(np.diag([3.0, 2.0])[np.newaxis], np.eye(2)[np.newaxis])  # differs by diag(2, 1)
        >>> [round(each, 9) for each in both]
        [5.0, 4.0]
    """
    if weights.shape != base.shape:
        raise ValueError(f"weights of shape {weights.shape} and a base of shape {base.shape} have no difference")
    frobenius, spectral = 0.0, 0.0
    for matrix, origin in zip(weights, base, strict=True):
        product = _gram_of_difference(matrix, origin)
        with np.errstate(over="ignore"):
            frobenius += float(product.trace())
        spectral = max(spectral, largest_eigenvalue(product))
    # Any non-finite value shows in the trace, which no eigenvalue exceeds.
    return (frobenius, spectral) if isfinite(frobenius) else (nan, nan)


def _gram_of_difference(matrix: np.ndarray, origin: np.ndarray) -> np.ndarray:
    """The Gram matrix of the smaller side of W − W₀."""
    is_tall = matrix.shape[0] >= matrix.shape[1]
    with np.errstate(over="ignore", invalid="ignore"):  # found by the caller in the result
        return gram_of_blocks(_difference(matrix, origin) if is_tall else _difference(matrix.T, origin.T))


def _difference(matrix: np.ndarray, origin: np.ndarray) -> Iterator[np.ndarray]:
    """W − W₀ in float64, a block of rows at a time."""
    for start in range(0, matrix.shape[0], BLOCK_ROWS):
        taken = slice(start, start + BLOCK_ROWS)
        block = np.array(matrix[taken], dtype=np.float64, order="C")
        block -= origin[taken].astype(np.float64)
        yield block

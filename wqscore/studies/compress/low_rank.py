"""What a matrix loses as a product of two thin ones, at best: the tail of its eigenvalues.

Eckart & Young, "The approximation of one matrix by another of lower rank", Psychometrika 1 (1936), 211–218: no matrix
of rank r is nearer to W than its truncated SVD, at ‖W − W_r‖_F² = Σ_{i>r} λ_i.
"""

from __future__ import annotations

from math import floor, sqrt

import numpy as np

from wqscore.spectra.spectrum import Spectrum


def tail_sums(eigenvalues: np.ndarray) -> np.ndarray:
    """Sums of the smallest eigenvalues: entry i is that of the i smallest.

    Summed from the small end, where 1 less a sum of the large ones would lose all digits.

    Args:
        eigenvalues: ascending, shape (n,).

    Returns:
        Shape (n + 1,), float64.
    """
    return np.concatenate([[0.0], np.cumsum(eigenvalues)])


def kept_rank(spectrum: Spectrum, ratio: float) -> int:
    """The rank at which two factors hold a share of the matrix's weights: ⌊γ·n·m/(n+m)⌋, at least 1, at most N.

    Of a convolution's slices, as many times that, spread over them as the pooled eigenvalues have it.

    Args:
        spectrum: of an n × m matrix.
        ratio: γ.
    """
    rows, columns = spectrum.rows, spectrum.columns
    # Rounding must not take one from a whole number: 0.3 of 90 / 2.7 is 10.
    rank = floor(ratio * rows * columns / (rows + columns) * (1 + 1e-12))
    return max(1, min(rank, rows, columns)) * spectrum.slices


def error_at(spectrum: Spectrum, rank: int) -> float:
    """The smallest ‖W − W_r‖_F/‖W‖_F of any matrix of a rank, √(Σ_{i>r} λ_i / Σλ)."""
    sums = tail_sums(spectrum.eigenvalues)
    return sqrt(sums[max(0, spectrum.eigenvalues.size - rank)] / sums[-1])


def rank_within(spectrum: Spectrum, error: float) -> int:
    """The least rank whose error is at most so much."""
    sums = tail_sums(spectrum.eigenvalues)
    dropped = int(np.searchsorted(sums, error**2 * sums[-1], side="right")) - 1
    return spectrum.eigenvalues.size - dropped

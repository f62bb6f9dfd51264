"""The Hill estimator on the upper half of a spectrum: an exponent without a search for xmin.

`PL_Alpha_Hill` of Zhou et al., "Temperature Balancing, Layer-wise Weight Analysis, and Neural Network Training",
NeurIPS 2023, as in their code: the paper's formula omits the term j = i, which is 0, but counts it in m.
"""

from __future__ import annotations

from math import nan

import numpy as np

from wqscore.fits.tail import MIN_TAIL, has_extent


def hill_alpha(eigenvalues: np.ndarray, floor: float = 0.0) -> float:
    """Return α = 1 + m/Σ_{j ≥ i} ln(λ_j/λ_i) with i = ⌊N/2⌋ and m = N − i.

    All N eigenvalues count, also those below the floor, which only checks that the middle one is not rounding noise.
    With floor 0 this is the published figure wherever that is finite and the upper half has 10 terms.

    Args:
        eigenvalues: ascending, shape (N,).
        floor: λ_i at or below it is rounding noise.

    Returns:
        NaN when λ_i is at or below the floor, an eigenvalue is not finite, the upper half has fewer than 10 terms
        (the estimate's spread is (α − 1)/√m), its values are all equal, or their ratios are beyond float64.

    Example:
        >>> quantiles = (np.arange(1000) + 0.5) / 1000
        >>> round(hill_alpha((1 - quantiles) ** (-1 / 2)), 1)  # Pareto: density exponent 3
        3.0
    """
    upper = eigenvalues[eigenvalues.size // 2 :]
    if upper.size < MIN_TAIL or not np.isfinite(eigenvalues).all() or not upper[0] > max(floor, 0.0):
        return nan
    # Relative to the largest: a quotient by λ_i could overflow.
    ratios = upper / upper[-1]
    if ratios[0] < np.finfo(np.float64).tiny or not has_extent(ratios):
        return nan
    return float(1 + upper.size / np.log(ratios / ratios[0]).sum())

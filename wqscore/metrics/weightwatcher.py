"""WeightWatcher 0.7's versions of metrics that differ from ours, for the preset `ww-0.7`."""

from __future__ import annotations

import numpy as np

from wqscore.spectra.spectrum import Spectrum

_EPSILON = 1e-10


def matrix_rank(spectrum: Spectrum) -> float:
    """Count singular values above σ_max·M·eps64, M the larger side: full for nearly everything stored in float32."""
    singular_values = np.sqrt(spectrum.eigenvalues)
    larger = max(spectrum.rows, spectrum.columns)
    tolerance = singular_values[-1] * larger * np.finfo(np.float64).eps
    return float(np.count_nonzero(singular_values > tolerance))


def rank_loss(spectrum: Spectrum) -> float:
    """Return N − WeightWatcher's matrix_rank."""
    return spectrum.eigenvalues.size - matrix_rank(spectrum)


def entropy(spectrum: Spectrum) -> float:
    """Return −Σ p ln p / ln(rank + 1e−10), p = λ/Σλ + 1e−10."""
    p = spectrum.eigenvalues / spectrum.total + _EPSILON
    return float(-(p * np.log(p)).sum() / np.log(matrix_rank(spectrum) + _EPSILON))

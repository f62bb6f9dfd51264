"""WeightWatcher 0.2.7's versions of metrics that differ from ours, for the preset `ww-0.2.7`.

It multiplies every matrix by √(slices/2), a dense one by √(1/2), and fits each slice of a convolution separately
(`Preset.scale`, `MatrixRules.pool_slices`), without the smallest eigenvalue, which its SVD of N − 1 components omits
(`fits.methods`). Its lambda_max, log_spectral_norm, stable_rank and alpha_weighted are as in the registry.
"""

from __future__ import annotations

from math import log10, nan

import numpy as np

from wqscore.fits.power_law import PowerLawFit
from wqscore.spectra.spectrum import Spectrum


def log_norm(spectrum: Spectrum) -> float:
    """Return log₁₀ ‖W‖_F, half of log₁₀ Σλ; later versions and our registry use log₁₀ ‖W‖_F²."""
    return log10(spectrum.total) / 2


def log_alpha_norm(spectrum: Spectrum, fit: PowerLawFit | None) -> float:
    """Return log₁₀ Σ λ^alpha over all eigenvalues but the smallest, by log-sum-exp; NaN without a fit."""
    if fit is None:
        return nan
    values = spectrum.eigenvalues[1:]
    logs = fit.alpha * np.log10(values[values > 0])
    return float(logs[-1] + np.log10(np.sum(10.0 ** (logs - logs[-1]))))

"""How much of a matrix stands out from noise: Spectrum's ratio, with the Marchenko–Pastur edge where it belongs."""

from __future__ import annotations

import numpy as np

from wqscore.spectra.marchenko_pastur import fit_marchenko_pastur
from wqscore.spectra.spectrum import Spectrum

#: The name of this number, which is no metric of the registry.
SIGNAL = "signal"


def signal_of(spectrum: Spectrum) -> float:
    """Σσ of the spikes ÷ Σσ of the others ÷ σ_max; 0 for noise, NaN where there is no bulk.

    A spike lies beyond the Marchenko–Pastur edge fitted to the bulk and the edge's fluctuation. The published
    threshold, (IQR(σ)/1.349)·(1 + √(n/m)), is not that edge: it calls 24 % of the singular values of square noise
    signal, and all of those of a 1:4 matrix. Source of the ratio: Hartford et al., Spectrum, arXiv 2406.06623.

    Args:
        spectrum: the eigenvalues of WᵀW.
    """
    if spectrum.state != "finite":
        return float("nan")
    fit = fit_marchenko_pastur(spectrum.eigenvalues, spectrum.rows, spectrum.columns, spectrum.slices)
    return ratio(spectrum.eigenvalues, fit.num_spikes)


def ratio(eigenvalues: np.ndarray, spikes: float) -> float:
    """The ratio for a number of spikes.

    Args:
        eigenvalues: ascending, shape (n,).
        spikes: how many of the largest are signal; NaN where it can't be told.

    Example:
        >>> ratio(np.array([1.0, 1.0, 16.0]), 1.0)  # 4/(1 + 1)/4
        0.5
    """
    if not np.isfinite(spikes):
        return float("nan")
    values = np.sqrt(np.clip(eigenvalues, 0, None))
    bulk = values.size - int(spikes)
    noise = float(values[:bulk].sum())
    return float(values[bulk:].sum()) / noise / float(values[-1]) if noise > 0 else float("nan")

"""Scale metrics: norms and ranks of the matrix, and the two that weight alpha by scale."""

from __future__ import annotations

from collections.abc import Callable
from math import log10, nan
from typing import Any

import numpy as np

from wqscore.fits.power_law import PowerLawFit
from wqscore.metrics.metric import MatrixMetric
from wqscore.spectra.spectrum import Spectrum


def log_norm(spectrum: Spectrum) -> float:
    """Return log₁₀ Σλ, the log of the squared Frobenius norm."""
    return log10(spectrum.total)


def log_spectral_norm(spectrum: Spectrum) -> float:
    """Return log₁₀ λ_max, the log of the squared spectral norm."""
    return log10(spectrum.largest)


def stable_rank(spectrum: Spectrum) -> float:
    """Return Σλ/λ_max, between 1 and N."""
    return spectrum.total / spectrum.largest


def matrix_rank(spectrum: Spectrum) -> float:
    """Count the eigenvalues above the floor (`Spectrum.floor`)."""
    return float(np.count_nonzero(spectrum.eigenvalues > spectrum.floor))


def rank_loss(spectrum: Spectrum) -> float:
    """Count the eigenvalues at or below the floor: N minus the rank."""
    return spectrum.eigenvalues.size - matrix_rank(spectrum)


def entropy(spectrum: Spectrum) -> float:
    """Return −Σ p ln p / ln rank with p = λ/Σλ over the eigenvalues above the floor; 0 at rank 1.

    Example:
        >>> from wqscore.spectra.spectrum import compute_spectrum
        >>> entropy(compute_spectrum([np.eye(8)], unit_roundoff=0.0))  # all directions alike
        1.0
    """
    counted = spectrum.eigenvalues[spectrum.eigenvalues > spectrum.floor]
    if counted.size <= 1:
        return 0.0
    p = counted / counted.sum()
    return float(-(p * np.log(p)).sum() / np.log(counted.size))


def alpha_weighted(spectrum: Spectrum, fit: PowerLawFit | None) -> float:
    """Return alpha·log₁₀ λ_max, alpha-hat; NaN without a fit."""
    return fit.alpha * log10(spectrum.largest) if fit else nan


def log_alpha_norm(spectrum: Spectrum, fit: PowerLawFit | None) -> float:
    """Return log₁₀ Σ λ^alpha over all eigenvalues, by log-sum-exp so that no power overflows; NaN without a fit."""
    if fit is None:
        return nan
    logs = fit.alpha * np.log10(spectrum.eigenvalues[spectrum.eigenvalues > 0])
    return float(logs[-1] + np.log10(np.sum(10.0 ** (logs - logs[-1]))))


_WW = "WeightWatcher 0.7.7"
_MM = "Martin, Peng & Mahoney, Nature Communications 12:4122 (2021)"
_NORMS = "norms follow the generalisation gap rather than test quality, and change when weights are rescaled"
_WEIGHTED = (
    "no better than a plain norm over 27 published series; ranks GPT above GPT-2; its direction in alpha flips "
    "when λ_max < 1, and such matrices are left out of its averages"
)


def _core(
    name: str, formula: str, source: str, caveat: str, value: Callable[[Spectrum], float], **more: Any
) -> MatrixMetric:
    """A core metric of the spectrum alone, which needs no fit."""
    return MatrixMetric(
        *(name, formula, source, caveat, lambda a: value(a.spectrum)),
        core=True,
        undefined="no eigenvalues",
        needs_fit=False,
        **more,
    )


SCALE_METRICS = (
    MatrixMetric(
        "alpha_weighted",
        "alpha · log λ_max",
        _MM,
        _WEIGHTED,
        lambda a: alpha_weighted(a.spectrum, a.power_law),
        core=True,
    ),
    MatrixMetric(
        "log_alpha_norm",
        "log Σ λ^alpha",
        _MM,
        _WEIGHTED,
        lambda a: log_alpha_norm(a.spectrum, a.power_law),
        core=True,
    ),
    _core("log_norm", "log Σλ = log ‖W‖_F²", _MM, _NORMS, log_norm, unit="log w²"),
    _core("log_spectral_norm", "log λ_max", _MM, _NORMS, log_spectral_norm, unit="log w²"),
    _core(
        "lambda_max", "λ_max, the squared spectral norm", _WW, _NORMS, lambda spectrum: spectrum.largest, unit="w²"
    ),
    _core(
        "stable_rank",
        "Σλ / λ_max",
        "Rudelson & Vershynin, J. ACM 54 (2007)",
        "competes with shape metrics mostly because it follows model size",
        stable_rank,
    ),
    _core(
        "matrix_rank",
        "eigenvalues above max(N·eps64·λ_max, (u²/3)·mean(w²)·(√N+√M)²)",
        "numerical rank; the second term is the Marchenko–Pastur edge of the storage's rounding",
        "no claim; nearly every trained matrix has full rank",
        matrix_rank,
        unit="eigenvalues",
        better="higher",
        summarised=False,
    ),
    _core(
        "rank_loss",
        "N − matrix_rank",
        _WW,
        "no claim; nearly always 0",
        rank_loss,
        unit="eigenvalues",
        summarised=False,
    ),
    _core(
        "entropy",
        "−Σ p ln p / ln matrix_rank, p = λ/Σλ",
        _WW,
        "no claim in the literature that holds across architectures",
        entropy,
    ),
)

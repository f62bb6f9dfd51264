"""Scale metrics: norms and ranks of the matrix, and the two that weigh alpha by scale."""

from __future__ import annotations

from math import log10, nan

import numpy as np

from wqscore.fits.power_law import PowerLawFit
from wqscore.metrics.metric import MatrixMetric
from wqscore.spectra.spectrum import Spectrum


def log_norm(spectrum: Spectrum) -> float:
    """log₁₀ Σλ, the log of the squared Frobenius norm."""
    return log10(spectrum.total)


def log_spectral_norm(spectrum: Spectrum) -> float:
    """log₁₀ λ_max, the log of the squared spectral norm."""
    return log10(spectrum.largest)


def stable_rank(spectrum: Spectrum) -> float:
    """Σλ/λ_max, between 1 and N."""
    return spectrum.total / spectrum.largest


def matrix_rank(spectrum: Spectrum) -> float:
    """Eigenvalues above the floor (`Spectrum.floor`)."""
    return float(np.count_nonzero(spectrum.eigenvalues > spectrum.floor))


def rank_loss(spectrum: Spectrum) -> float:
    """Eigenvalues at or below the floor: N minus the rank."""
    return spectrum.eigenvalues.size - matrix_rank(spectrum)


def entropy(spectrum: Spectrum) -> float:
    """−Σ p ln p / ln rank with p = λ/Σλ over the eigenvalues above the floor; 0 at rank 1.

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
    """alpha·log₁₀ λ_max, alpha-hat; NaN without a fit."""
    return fit.alpha * log10(spectrum.largest) if fit else nan


def log_alpha_norm(spectrum: Spectrum, fit: PowerLawFit | None) -> float:
    """log₁₀ Σ λ^alpha over all eigenvalues, by log-sum-exp so that no power overflows; NaN without a fit."""
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

_ALWAYS = "no eigenvalues"

SCALE_METRICS = (
    MatrixMetric(
        "alpha_weighted",
        "alpha · log λ_max",
        "1",
        "lower",
        _MM,
        _WEIGHTED,
        lambda a: alpha_weighted(a.spectrum, a.power_law),
        core=True,
    ),
    MatrixMetric(
        "log_alpha_norm",
        "log Σ λ^alpha",
        "1",
        "lower",
        _MM,
        _WEIGHTED,
        lambda a: log_alpha_norm(a.spectrum, a.power_law),
        core=True,
    ),
    MatrixMetric(
        "log_norm",
        "log Σλ = log ‖W‖_F²",
        "log w²",
        "lower",
        _MM,
        _NORMS,
        lambda a: log_norm(a.spectrum),
        core=True,
        undefined=_ALWAYS,
    ),
    MatrixMetric(
        "log_spectral_norm",
        "log λ_max",
        "log w²",
        "lower",
        _MM,
        _NORMS,
        lambda a: log_spectral_norm(a.spectrum),
        core=True,
        undefined=_ALWAYS,
    ),
    MatrixMetric(
        "lambda_max",
        "λ_max, the squared spectral norm",
        "w²",
        "lower",
        _WW,
        _NORMS,
        lambda a: a.spectrum.largest,
        core=True,
        undefined=_ALWAYS,
    ),
    MatrixMetric(
        "stable_rank",
        "Σλ / λ_max",
        "1",
        "lower",
        "Rudelson & Vershynin, J. ACM 54 (2007)",
        "competes with shape metrics mostly because it follows model size",
        lambda a: stable_rank(a.spectrum),
        core=True,
        undefined=_ALWAYS,
    ),
    MatrixMetric(
        "matrix_rank",
        "eigenvalues above max(N·eps64·λ_max, (u²/3)·mean(w²)·(√N+√M)²)",
        "eigenvalues",
        "higher",
        "numerical rank; the second term is the Marchenko–Pastur edge of the storage's rounding",
        "no claim; nearly every trained matrix has full rank",
        lambda a: matrix_rank(a.spectrum),
        count=True,
        core=True,
        undefined=_ALWAYS,
    ),
    MatrixMetric(
        "rank_loss",
        "N − matrix_rank",
        "eigenvalues",
        "lower",
        _WW,
        "no claim; nearly always 0",
        lambda a: rank_loss(a.spectrum),
        count=True,
        core=True,
        undefined=_ALWAYS,
    ),
    MatrixMetric(
        "entropy",
        "−Σ p ln p / ln matrix_rank, p = λ/Σλ",
        "1",
        "lower",
        _WW,
        "no claim in the literature that holds across architectures",
        lambda a: entropy(a.spectrum),
        core=True,
        undefined=_ALWAYS,
    ),
)

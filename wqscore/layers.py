"""One weight matrix scored: spectrum, fit, metrics, and whether the fit counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan
from typing import Literal

import numpy as np

from wqscore.fits.power_law import PowerLawFit, fit_power_law
from wqscore.matrices.roles import CONV
from wqscore.matrices.weight_matrix import WeightMatrix
from wqscore.metrics.registry import METRICS
from wqscore.presets import Preset
from wqscore.spectra.spectrum import Spectrum, compute_spectrum

Verdict = Literal["ok", "too-small", "degenerate", "zero", "non-finite"]

#: alpha_weighted and log_alpha_norm fall as alpha rises when λ_max < 1 (docs/metrics.md, "A model's score").
FLIPPED_SIGN = "lambda_max<1"


@dataclass(frozen=True)
class LayerScore:
    """One scored matrix: a row of `layers.csv`.

    Attributes:
        matrix: what was scored.
        metrics: every metric of the registry by name; NaN where it is not defined.
        verdict: whether the fit counts, and if not why.
        reason: the verdict in words, empty for `ok`.
        flags: what a reader should know; a flag never takes a finite fit out of an average.
        spectrum: the eigenvalues.
        fit: the fitted tail, `None` without one.
    """

    matrix: WeightMatrix
    metrics: Mapping[str, float]
    verdict: Verdict
    reason: str
    flags: tuple[str, ...]
    spectrum: Spectrum
    fit: PowerLawFit | None


def score_matrix(matrix: WeightMatrix, array: np.ndarray, preset: Preset) -> LayerScore:
    """Score one matrix.

    Args:
        matrix: which numbers of the tensor make it.
        array: the tensor's values, in its own shape and stored data type.
        preset: the constants to use.
    """
    scale = preset.convolution_scale if matrix.role == CONV else 1.0
    spectrum = compute_spectrum(
        matrix.values(array), matrix.tensor.dtype.unit_roundoff, scale, preset.exact_small_end
    )
    fit = None
    metrics = dict.fromkeys(METRICS, nan)
    if spectrum.state == "finite":
        floor = spectrum.floor if preset.fit_floor is None else preset.fit_floor
        fit = fit_power_law(spectrum.eigenvalues, floor, preset.candidates)
        metrics = {name: preset.function(name)(spectrum, fit) for name in METRICS}
    verdict, reason = _judge(spectrum, fit, preset)
    flags = (*matrix.flags, *((FLIPPED_SIGN,) if metrics["lambda_max"] < 1 else ()))
    return LayerScore(matrix, metrics, verdict, reason, flags, spectrum, fit)


def _judge(spectrum: Spectrum, fit: PowerLawFit | None, preset: Preset) -> tuple[Verdict, str]:
    """The first verdict that holds (docs/metrics.md)."""
    count, minimum = spectrum.eigenvalues.size, preset.matrices.min_eigenvalues
    if spectrum.state == "non-finite":
        return "non-finite", "NaN or Inf among the weights, or weights too large to square"
    if spectrum.state == "zero":
        return "zero", "every weight is 0, or too small to square"
    if count < minimum:
        return "too-small", f"{count} eigenvalues, fewer than {minimum}"
    if fit is None:
        return "degenerate", "no eigenvalue leaves a tail to fit"
    return "ok", ""

"""One weight matrix scored: spectrum, fits, metrics, and whether the fit counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import isfinite, nan

import numpy as np

from wqscore.checkpoints.adapters.low_rank import LowRank
from wqscore.fits.sampling import Sampling
from wqscore.integrity.contents import examine
from wqscore.matrices.weight_matrix import WeightMatrix
from wqscore.metrics.analysis import MatrixAnalysis, Values
from wqscore.metrics.registry import MATRIX_METRICS
from wqscore.presets.preset import Preset
from wqscore.scoring.layer_score import (
    FLIPPED_SIGN,
    IN_SINGLE,
    MAYBE_RANDOM_SCALED,
    RANDOM_SCALED,
    Judgement,
    LayerScore,
    Verdict,
)
from wqscore.spectra.in_single import DOUBLE, SINGLE, Precision, single_spectrum
from wqscore.spectra.on_device import CPU
from wqscore.spectra.spectrum import Spectrum, compute_spectrum, low_rank_spectrum

#: A tail is no power law when it is both this far from one, and improbably so.
FAR_FROM_FIT, UNLIKELY = 0.10, 0.1
#: Alphas of fits nearly as good as the best that lie further apart.
UNSTABLE = 1.0

_NO_EIGENVALUES: Mapping[str, tuple[Verdict, str]] = {
    "non-finite": ("non-finite", "NaN or Inf among the weights, or weights too large to square"),
    "zero": ("zero", "every weight is 0, or too small to square"),
}


def score_matrix(
    matrix: WeightMatrix,
    array: Values,
    preset: Preset,
    metrics: Sequence[str],
    sampling: Sampling,
    base: np.ndarray | None = None,
    device: str = CPU,
    precision: Precision = DOUBLE,
) -> LayerScore:
    """Score one matrix.

    Args:
        matrix: which numbers of the tensor make it.
        array: the tensor's values, in its own shape and stored data type; or the two thin matrices that it is a
            product of.
        preset: the constants to use.
        metrics: names of the metrics to compute.
        sampling: the run's seed, and how much random work it does.
        base: the same matrix of a base checkpoint.
        device: what solves it: `cpu`, or a device of torch.
        precision: `single` solves it in float32 on a device, if that changes no metric by more than the weights'
            storage does.
    """
    weights = array if isinstance(array, LowRank) else matrix.values(array)
    analysis = _analysis_in_single(matrix, weights, preset, sampling, base, device) if precision == SINGLE else None
    flags = (IN_SINGLE,) if analysis else ()
    if analysis is None:
        spectrum = solve(matrix, array, preset, device)
        if spectrum.state != "finite":
            return layer_score(matrix, spectrum, {}, _without_eigenvalues(spectrum), metrics)
        analysis = _analysis(matrix, weights, spectrum, preset, sampling, base)
    values = {name: preset.function(name)(analysis) for name in metrics}
    judgement = judge(analysis, preset)
    judgement = replace(judgement, flags=(*judgement.flags, *flags))
    return layer_score(matrix, analysis.spectrum, values, judgement, metrics)


def _analysis_in_single(
    matrix: WeightMatrix, weights: Values, preset: Preset, sampling: Sampling, base: np.ndarray | None, device: str
) -> MatrixAnalysis | None:
    """The analysis of a spectrum solved in float32; `None` where a metric could tell it from float64's."""
    if isinstance(weights, LowRank) or preset.exact_small_end:
        return None
    solved = single_spectrum(weights, matrix.tensor.dtype.unit_roundoff, preset.scale(matrix), device)
    if solved is None:
        return None
    analysis = _analysis(matrix, weights, solved.spectrum, preset, sampling, base)
    fit = analysis.power_law
    return analysis if fit is not None and solved.stays_within_rounding(fit.xmin) else None


def solve(matrix: WeightMatrix, array: Values, preset: Preset, device: str = CPU) -> Spectrum:
    """The eigenvalues of one matrix; arguments as for `score_matrix`."""
    scale, unit_roundoff = preset.scale(matrix), matrix.tensor.dtype.unit_roundoff
    if isinstance(array, LowRank):
        return low_rank_spectrum(array, unit_roundoff, scale, device)
    return compute_spectrum(matrix.values(array), unit_roundoff, scale, preset.exact_small_end, device)


def layer_score(
    matrix: WeightMatrix,
    spectrum: Spectrum,
    values: Mapping[str, float],
    judgement: Judgement,
    metrics: Sequence[str],
) -> LayerScore:
    """Put a row together.

    Args:
        matrix: what was scored.
        spectrum: its eigenvalues.
        values: the metrics by name, these and maybe others; of a matrix without eigenvalues none are needed.
        judgement: its verdict.
        metrics: names of the requested metrics, in order.
    """
    requested = {name: values[name] if spectrum.state == "finite" else nan for name in metrics}
    undefined = _undefined(requested) if spectrum.state == "finite" else ""
    reason = "; ".join(filter(None, (judgement.reason, undefined)))
    flags = (*matrix.flags, *judgement.flags)
    return LayerScore(matrix, requested, judgement.verdict, reason, flags, spectrum, judgement.fit)


def judgement_of(row: LayerScore) -> Judgement:
    """The judgement that a row was made from, without what depends on the requested metrics."""
    undefined = _undefined(row.metrics) if row.spectrum.state == "finite" else ""
    reason = row.reason.removesuffix(undefined).removesuffix("; ") if undefined else row.reason
    return Judgement(row.verdict, reason, row.flags[len(row.matrix.flags) :], row.fit)


def score_known(
    matrix: WeightMatrix,
    spectrum: Spectrum,
    values: Mapping[str, float],
    judgement: Judgement | None,
    read: Callable[[], Values],
    preset: Preset,
    metrics: Sequence[str],
    sampling: Sampling,
) -> LayerScore:
    """Score a matrix whose spectrum is cached; only a missing metric may solve an eigenproblem.

    Args:
        matrix: which numbers of the tensor make it.
        spectrum: its eigenvalues.
        values: the cached metrics.
        judgement: its verdict, `None` if not cached.
        read: reads its weights; called only if a missing metric or the judgement needs them.
        preset: the constants to use.
        metrics: names of the metrics to return.
        sampling: the run's seed, and how much random work it does.
    """
    if spectrum.state != "finite":
        return layer_score(matrix, spectrum, {}, _without_eigenvalues(spectrum), metrics)
    missing = [name for name in metrics if name not in values]
    if missing or judgement is None:
        analysis = _analysis(matrix, read, spectrum, preset, sampling)
        values = {**values, **{name: preset.function(name)(analysis) for name in missing}}
        judgement = judgement or judge(analysis, preset)
    return layer_score(matrix, spectrum, values, judgement, metrics)


def _analysis(
    matrix: WeightMatrix,
    source: Values | Callable[[], Values],
    spectrum: Spectrum,
    preset: Preset,
    sampling: Sampling,
    base: np.ndarray | None = None,
) -> MatrixAnalysis:
    dtype = matrix.tensor.dtype if preset.allows_for_rounding else None
    floor, scale = preset.floor(spectrum), preset.scale(matrix)
    return MatrixAnalysis(source, spectrum, floor, preset.fits, scale, sampling, base, dtype)


def judge(analysis: MatrixAnalysis, preset: Preset) -> Judgement:
    """Judge a matrix with eigenvalues."""
    verdict, reason = _judge(analysis, preset)
    flags = [] if analysis.is_low_rank else _damaged_lines(analysis.weights)
    if analysis.spectrum.largest < 1:
        flags.append(FLIPPED_SIGN)
    if verdict not in ("too-small", "degenerate", "random") and analysis.is_random_scaled is not False:
        flags.append(RANDOM_SCALED if analysis.is_random_scaled else MAYBE_RANDOM_SCALED)
    return Judgement(verdict, reason, tuple(flags), analysis.power_law)


def _without_eigenvalues(spectrum: Spectrum) -> Judgement:
    verdict, reason = _NO_EIGENVALUES[spectrum.state]
    return Judgement(verdict, reason, (), None)


def _damaged_lines(weights: np.ndarray) -> list[str]:
    """Flags for rows and columns that are zero, constant or copies; `wqscore check` says which.

    Args:
        weights: shape (slices, rows, columns); a row of a convolution is all that one output reads.
    """
    found = examine(np.moveaxis(weights, 0, -1).reshape(weights.shape[1], -1) if len(weights) > 1 else weights[0])
    return [
        f"{kind}-{lines}"
        for lines, damage in (("rows", found.rows), ("columns", found.columns))
        for kind in ("zero", "constant", "repeated")
        if getattr(damage, kind)
    ]


def _judge(analysis: MatrixAnalysis, preset: Preset) -> tuple[Verdict, str]:
    """The first verdict that holds for a matrix with eigenvalues (docs/metrics.md)."""
    count, minimum = analysis.eigenvalue_count, preset.matrices.min_eigenvalues
    if count < minimum:
        return "too-small", f"{count} eigenvalues, fewer than {minimum}"
    if not analysis.has_extent:
        return "degenerate", "no eigenvalues above the floor differ by more than rounding"
    if analysis.power_law is None:
        return "degenerate", "no eigenvalue leaves a tail to fit"
    if (above := analysis.count_above_floor) < minimum and preset.allows_for_rounding:
        return "too-small", f"{above} eigenvalues above the floor, fewer than {minimum}"
    if analysis.is_random:
        return "random", "can't be told from the same weights shuffled"
    if analysis.is_random is None:
        return "undecided", "random or not: as far from the same weights shuffled as noise rarely is"
    if analysis.has_traps:
        return (
            "trap",
            "large eigenvalues remain after shuffling, so single large entries or a non-zero mean cause them",
        )
    if analysis.has_traps is None:
        return "undecided", "trap or not: shuffled, the weights have a spike about half of the time"
    if analysis.power_law.D > FAR_FROM_FIT and (share := analysis.settle_p_value(UNLIKELY)) and not share.above:
        far = f"poor fit: D = {analysis.power_law.D:.2f}; {share.value:.0%} of true power laws fit this badly"
        if share.above is False:
            return "no-power-law", far
        return "undecided", f"no-power-law or not: {far}, too near {UNLIKELY:.0%} after {share.draws:,} draws"
    lowest, highest = analysis.alpha_range or (nan, nan)
    if highest - lowest > UNSTABLE:
        return "unstable", f"alphas from {lowest:.3g} to {highest:.3g} fit nearly as well"
    return "ok", ""


def _undefined(values: Mapping[str, float]) -> str:
    """Which metrics have no value, and why."""
    if all(map(isfinite, values.values())):
        return ""
    names: dict[str, list[str]] = {}
    for name, value in values.items():
        if not isfinite(value):
            names.setdefault(MATRIX_METRICS[name].undefined, []).append(name)
    return "; ".join(f"no {', '.join(missing)}: {why}" for why, missing in names.items())

"""What the layer explorer draws from: each matrix's spectrum and scan, a few hundred bytes each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import nan
from typing import Any

import numpy as np

from wqscore.metrics.registry import METRICS
from wqscore.presets.preset import Preset
from wqscore.rendering.html.palette import ROLE_MARKS
from wqscore.rendering.numbers import figure, number
from wqscore.scoring.layer_score import LayerScore
from wqscore.scoring.model_score import ModelScore
from wqscore.scoring.role_draws import MatrixKey, matrix_key
from wqscore.scoring.summary import belonging_rows
from wqscore.spectra.marchenko_pastur import fit_marchenko_pastur

#: Bins of a density, equal in log λ.
_BINS = 50
#: Points of the scan for xmin that are kept, besides the smallest D.
_SCAN_POINTS = 47
#: What the steps of a scan are: of the density's width in log λ, of D, and of alpha.
XMIN_STEPS, D_STEPS, ALPHA_STEPS = 1000, 1000, 100
#: The largest singular values that are listed.
_SINGULAR_VALUES = 10
#: Intervals are drawn up to this many times the largest alpha: one wide interval would flatten the chart.
_TOP = 1.25
#: The place of a matrix that belongs to no layer.
_NO_LAYER = "–"
#: Its order among the layers.
_LAST = 1_000_000

Row = dict[str, object]


def explorer_models(scores: Sequence[ModelScore]) -> list[Row]:
    """Each model's average and matrices, to be written as JSON, packed and read by `explorer.js`.

    A matrix's `key` is a number that the same matrix has in every model.
    """
    keys: dict[MatrixKey, int] = {}
    return [{"average": average_rows(score), "layers": _layers(score, keys)} for score in scores]


def present_roles(scores: Iterable[ModelScore]) -> list[str]:
    """The roles that these models' matrices have, in the legend's order."""
    found = {layer.matrix.role for score in scores for layer in score.layers}
    return [role for role in ROLE_MARKS if role in found]


def depth_rows(score: ModelScore) -> list[Row]:
    """The dataset `layers` of the chart of alpha by depth."""
    fitted = [layer for layer in score.layers if layer.fit]
    top = _TOP * max([layer.fit.alpha for layer in fitted if layer.fit], default=0.0)
    return [
        {
            "role": layer.matrix.role,
            "place": _NO_LAYER if layer.matrix.depth is None else str(layer.matrix.depth),
            "order": _LAST if layer.matrix.depth is None else layer.matrix.depth,
            "alpha": _short(layer.fit.alpha),
            "verdict": layer.verdict,
            **_line(layer, top),
        }
        for layer in fitted
        if layer.fit
    ]


def _line(layer: LayerScore, top: float) -> Row:
    """What is drawn of alpha's interval: it ends at the top of the chart."""
    lo, hi = (number(layer.metrics.get(name, nan)) for name in ("alpha_lo", "alpha_hi"))
    return {} if lo is None or hi is None or lo >= top else {"lo": _short(lo), "hi": _short(min(hi, top))}


def band_rows() -> list[Row]:
    """The dataset `band` of the same chart: the range of alpha that is read as usual for trained layers."""
    usual = METRICS["alpha"].readable
    if usual is None:
        return []
    label = f"usual for trained layers: {figure(usual.low)} to {figure(usual.high)}"
    return [{"lo": usual.low, "hi": usual.high, "label": label}]


def average_rows(score: ModelScore) -> list[Row]:
    """The dataset `average` of the same chart: the model's alpha, if it has one."""
    known = "alpha" in score.metrics
    alpha = _short(score.summary.headline("alpha", score.preset)) if known else None
    return [] if alpha is None else [{"alpha": alpha}]


def _layers(score: ModelScore, keys: dict[MatrixKey, int]) -> list[Row]:
    averaged = {id(row) for row in belonging_rows(score.layers, score.preset) if row.fit}
    rows = []
    for layer in score.layers:
        key = keys.setdefault(matrix_key(layer), len(keys))
        rows.append({"key": key, "averaged": id(layer) in averaged, **_layer(layer, score.preset)})
    return rows


def _layer(layer: LayerScore, preset: Preset) -> Row:
    spectrum, fit = layer.spectrum, layer.fit
    eigenvalues = spectrum.eigenvalues
    floor = preset.floor(spectrum) if eigenvalues.size else 0.0
    density = _density(eigenvalues[eigenvalues > floor])
    return {
        "name": layer.matrix.name,
        "role": layer.matrix.role,
        "depth": layer.matrix.depth,
        "fit": [*map(_short, (fit.alpha, fit.xmin, fit.D, fit.sigma)), fit.n_tail] if fit else None,
        "below": int(np.count_nonzero(eigenvalues <= floor)),
        "density": density,
        "scan": _scan(layer, floor, preset, density) if density else None,
        "bulk": _bulk(layer) if eigenvalues.size else None,
        "singular": [_short(value) for value in _singular_values(layer, preset)],
    }


def _density(eigenvalues: np.ndarray) -> list[float] | None:
    """The least and the largest log₁₀ λ, and how many eigenvalues lie in each of equal bins between them."""
    if eigenvalues.size == 0:
        return None
    counts, edges = log_histogram(eigenvalues)
    return [round(float(edges[0]), 4), round(float(edges[-1]), 4), *counts.tolist()]


def log_histogram(eigenvalues: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many eigenvalues, ascending and above 0, lie in each of equal bins of log₁₀ λ, and the bins' edges."""
    logs = np.log10(eigenvalues)
    low, high = float(logs[0]), float(logs[-1])
    if high - low < 1e-3:
        low, high = low - 0.05, high + 0.05
    return np.histogram(logs, bins=_BINS, range=(low, high))


def _scan(layer: LayerScore, floor: float, preset: Preset, density: Sequence[float]) -> list[list[int]]:
    """D and alpha at evenly spread candidates for xmin, and at the one with the smallest D, in whole steps.

    Returns:
        The steps from one xmin to the next along the density's log axis; those of D; those of alpha.
    """
    scan = preset.fits.scan(layer.spectrum.eigenvalues, floor, _SCAN_POINTS, layer.fit)
    kept = np.isfinite(scan.D) & np.isfinite(scan.alpha)
    low, high = density[:2]
    steps = ((np.log10(scan.xmin[kept]) - low) / (high - low) * XMIN_STEPS).round().astype(int)
    return [
        np.diff(steps, prepend=0).tolist(),
        (scan.D[kept] * D_STEPS).round().astype(int).tolist(),
        (scan.alpha[kept] * ALPHA_STEPS).round().astype(int).tolist(),
    ]


def _bulk(layer: LayerScore) -> list[Any] | None:
    """σ², the edges and the spikes of the Marchenko–Pastur law of the bulk; `None` where there is none."""
    spectrum = layer.spectrum
    law = fit_marchenko_pastur(spectrum.eigenvalues, spectrum.rows, spectrum.columns, spectrum.slices)
    if number(law.sigma) is None:
        return None
    small, large = sorted((spectrum.rows, spectrum.columns))
    lower = law.sigma**2 * (large**0.5 - small**0.5) ** 2
    return [_short(law.sigma**2), _short(lower), _short(law.bulk_max), int(law.num_spikes), small]


def _singular_values(layer: LayerScore, preset: Preset) -> np.ndarray:
    """The largest singular values of the weights, largest first."""
    largest = layer.spectrum.eigenvalues[: -_SINGULAR_VALUES - 1 : -1]
    values: np.ndarray = np.sqrt(np.maximum(largest, 0.0) / preset.scale(layer.matrix))
    return values


def _short(value: float) -> float | None:
    """Four digits, all that a chart can show; `None` for what is not a number."""
    return None if number(value) is None else float(f"{value:.4g}")

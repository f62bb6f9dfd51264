"""What the layer explorer draws from: each matrix's spectrum and scan, small enough for a web page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from wqscore.layers import LayerScore
from wqscore.presets import Preset
from wqscore.rendering.html import charts
from wqscore.rendering.tables import number
from wqscore.scoring import ModelScore

#: Bins of a density, equal in log λ.
_BINS = 50
#: Points of the scan for xmin that are kept, besides the smallest D.
_SCAN_POINTS = 79
#: The place of a matrix that belongs to no layer.
_NO_LAYER = "–"

Row = dict[str, object]


def explorer_data(scores: Sequence[ModelScore]) -> dict[str, Any]:
    """The explorer's models and charts, to be written as JSON.

    Args:
        scores: at least one of them with a matrix.
    """
    return {
        "charts": {
            "depth": charts.alpha_by_depth(present_roles(scores)),
            "spectrum": charts.spectrum(),
            "distance": charts.distance(),
        },
        "models": [
            {
                "name": score.ref.label,
                "average": average_rows(score),
                "layers": [_layer(layer, score.preset) for layer in score.layers],
            }
            for score in scores
        ],
    }


def present_roles(scores: Iterable[ModelScore]) -> list[str]:
    """The roles that these models' matrices have, in the legend's order."""
    found = {layer.matrix.role for score in scores for layer in score.layers}
    return [role for role in charts.ROLE_MARKS if role in found]


def depth_rows(score: ModelScore) -> list[Row]:
    """The dataset `layers` of the chart of alpha by depth, matrices of no layer last."""
    depths = [layer.matrix.depth for layer in score.layers]
    order = sorted(range(len(depths)), key=lambda i: (depths[i] is None, depths[i] or 0))
    fields = ("role", "place", "alpha")
    rows = [_layer_head(score.layers[i]) for i in order]
    return [{field: row[field] for field in fields} for row in rows if row["alpha"] is not None]


def average_rows(score: ModelScore) -> list[Row]:
    """The dataset `average` of the same chart: the model's alpha, if it has one."""
    known = "alpha" in score.metrics
    alpha = _short(score.summary.headline("alpha", score.preset)) if known else None
    return [] if alpha is None else [{"alpha": alpha}]


def _layer_head(layer: LayerScore) -> Row:
    depth = layer.matrix.depth
    return {
        "name": layer.matrix.name,
        "role": layer.matrix.role,
        "place": _NO_LAYER if depth is None else str(depth),
        "alpha": _short(layer.fit.alpha) if layer.fit else None,
    }


def _layer(layer: LayerScore, preset: Preset) -> Row:
    eigenvalues = layer.spectrum.eigenvalues
    fit = layer.fit
    floor = preset.floor(layer.spectrum) if eigenvalues.size else 0.0
    return {
        **_layer_head(layer),
        "depth": layer.matrix.depth,
        "xmin": _short(fit.xmin) if fit else None,
        "D": _short(fit.D) if fit else None,
        "sigma": _short(fit.sigma) if fit else None,
        "tail": fit.n_tail if fit else None,
        "below": int(np.count_nonzero(eigenvalues <= floor)),
        "verdict": "; ".join(filter(None, (layer.verdict, layer.reason, *layer.flags))),
        "density": _density(eigenvalues[eigenvalues > floor]),
        "scan": _scan(eigenvalues, floor, preset),
    }


def _density(eigenvalues: np.ndarray) -> Row | None:
    """How many eigenvalues lie in each of equal bins of log₁₀ λ between `low` and `high`."""
    if eigenvalues.size == 0:
        return None
    logs = np.log10(eigenvalues)
    low, high = float(logs[0]), float(logs[-1])
    if high - low < 1e-3:
        low, high = low - 0.05, high + 0.05
    counts, _ = np.histogram(logs, bins=_BINS, range=(low, high))
    return {"low": round(low, 4), "high": round(high, 4), "counts": counts.tolist()}


def _scan(eigenvalues: np.ndarray, floor: float, preset: Preset) -> Row:
    """D at evenly spread candidates for xmin, and at the one with the smallest D."""
    scan = preset.fits.scan(eigenvalues, floor)
    kept: Iterable[int] = ()
    if scan.D.size:
        spread = np.linspace(0, scan.D.size - 1, min(_SCAN_POINTS, scan.D.size)).round().astype(int)
        kept = np.union1d(spread, np.argmin(scan.D)).tolist()
    return {"xmin": [_short(scan.xmin[i]) for i in kept], "D": [_short(scan.D[i]) for i in kept]}


def _short(value: float) -> float | None:
    """Four digits, all that a chart can show; `None` for what is not a number."""
    return None if number(value) is None else float(f"{value:.4g}")

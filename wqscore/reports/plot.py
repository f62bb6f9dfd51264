"""One chart of the report as an SVG or PNG picture: dark on white, titled with names and numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from wqscore.escaping import printable
from wqscore.rendering.html import charts, vega
from wqscore.rendering.layout import fold
from wqscore.rendering.numbers import ends, figure
from wqscore.reports.html.explorer import average_rows, depth_rows, log_histogram, present_roles
from wqscore.scoring.layer_score import LayerScore
from wqscore.scoring.model_score import ModelScore

Rows = Mapping[str, Sequence[Mapping[str, object]]]

#: Characters in a line of the title, which is as wide as the chart.
_TITLE_WIDTH = 72
#: Pixels for each unit of the drawing, enough for print.
_SCALE = 3
_INK, _PAPER = "#1a1a1a", "#ffffff"


@dataclass(frozen=True)
class Picture:
    """A chart with its data.

    Attributes:
        spec: a Vega-Lite specification.
        data: the rows of its datasets.
    """

    spec: dict[str, Any]
    data: Rows

    def svg(self) -> str:
        """The picture as SVG."""
        return charts.to_svg(self.spec, self.data)

    def png(self) -> bytes:
        """The picture as PNG."""
        return vega.png(self.svg(), _SCALE)


def spectrum_picture(score: ModelScore, layer: LayerScore, floor: float) -> Picture:
    """The density of a matrix's eigenvalues, with its fitted tail.

    Args:
        score: the model, for the title.
        layer: the matrix; it has eigenvalues.
        floor: only eigenvalues above it are drawn, as they alone are fitted.
    """
    eigenvalues = layer.spectrum.eigenvalues[layer.spectrum.eigenvalues > floor]
    density, tail = _density(eigenvalues), _tail(eigenvalues, layer)
    data = {"density": density, "tail": tail, "xmin": _xmin(layer)}
    return _picture(charts.spectrum(), data, layer.matrix.name, _below(score, layer))


def distance_picture(score: ModelScore, layer: LayerScore, floor: float) -> Picture:
    """The KS distance at every candidate for xmin; the arguments are those of `spectrum_picture`."""
    scan = score.preset.fits.scan(layer.spectrum.eigenvalues, floor, layer.spectrum.eigenvalues.size)
    rows = [{"eigenvalue": float(x), "D": float(d)} for x, d in zip(scan.xmin, scan.D, strict=True)]
    return _picture(charts.distance(), {"scan": rows, "xmin": _xmin(layer)}, layer.matrix.name, _below(score, layer))


def depth_picture(score: ModelScore) -> Picture:
    """Alpha layer by layer, and the model's headline alpha as a line."""
    spec = charts.alpha_by_depth(present_roles([score]))
    return _picture(spec, {"layers": depth_rows(score), "average": average_rows(score)}, score.ref.label, _own(score))


#: The charts of a single matrix by name.
LAYER_PICTURES: Mapping[str, Callable[[ModelScore, LayerScore, float], Picture]] = {
    "spectrum": spectrum_picture,
    "distance": distance_picture,
}


def _picture(spec: dict[str, Any], data: Rows, head: str, below: Sequence[str]) -> Picture:
    title = {"text": _folded(head), "subtitle": [part for line in below for part in _folded(line)]}
    sizes = {"anchor": "start", "fontSize": 12, "subtitleFontSize": 11, "color": _INK, "subtitleColor": _INK}
    return Picture(_on_paper(spec) | {"background": _PAPER, "padding": 12, "title": title | sizes}, data)


def _folded(line: str) -> list[str]:
    """A line folded to the chart's width, so that no name is cut."""
    return fold(printable(line), _TITLE_WIDTH).split("\n")


def _on_paper(part: Any) -> Any:
    """A specification with `currentColor`, the page's colour, replaced by ink."""
    if isinstance(part, dict):
        return {key: _on_paper(value) for key, value in part.items()}
    if isinstance(part, list):
        return [_on_paper(value) for value in part]
    return _INK if part == "currentColor" else part


def _below(score: ModelScore, layer: LayerScore) -> list[str]:
    fit = layer.fit
    numbers = "no fitted tail"
    if fit is not None:
        lo, hi = (layer.metrics.get(name) for name in ("alpha_lo", "alpha_hi"))
        interval = f" ({figure(lo)} to {figure(hi)})" if lo is not None and hi is not None else ""
        numbers = (
            f"alpha {figure(fit.alpha)}{interval} · xmin {figure(fit.xmin)} · D {figure(fit.D)} · n {fit.n_tail}"
        )
    return [score.ref.label, f"{numbers} · {layer.verdict}"]


def _own(score: ModelScore) -> list[str]:
    """The subtitle with the model's headline alpha and its interval, if alpha was computed."""
    if "alpha" not in score.summary.statistics:
        return []
    found = score.summary.statistics["alpha"]
    value = figure(score.summary.headline("alpha", score.preset))
    return [f"{score.preset.headline} alpha {value} ({ends(found.interval, found.count)})"]


def _xmin(layer: LayerScore) -> list[dict[str, object]]:
    return [{"eigenvalue": layer.fit.xmin, "D": layer.fit.D}] if layer.fit else []


def _density(eigenvalues: np.ndarray) -> list[dict[str, object]]:
    """Count and density of each bin of log λ that is not empty."""
    if not eigenvalues.size:
        return []
    counts, edges = log_histogram(eigenvalues)
    return [
        {
            "eigenvalue": float(10 ** ((left + right) / 2)),
            "density": float(count / eigenvalues.size / (10**right - 10**left)),
            "count": int(count),
        }
        for count, left, right in zip(counts, edges[:-1], edges[1:], strict=True)
        if count
    ]


def _tail(eigenvalues: np.ndarray, layer: LayerScore) -> list[dict[str, object]]:
    """The ends of the fitted density, scaled to the tail's share of the eigenvalues: a line on log axes."""
    fit = layer.fit
    if fit is None:
        return []
    height = fit.n_tail / eigenvalues.size * (fit.alpha - 1) / fit.xmin
    end = float(eigenvalues[-1])
    return [
        {"eigenvalue": fit.xmin, "density": height},
        {"eigenvalue": end, "density": height * (end / fit.xmin) ** -fit.alpha},
    ]

"""The charts of a study as Vega-Lite specifications without data; `charts.to_svg` adds the data by name.

After Yang et al., "Test accuracy vs. generalization gap", KDD 2023 (arXiv 2202.02842): each metric against the
published result, and the rank correlations within groups as boxes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from wqscore.escaping import printable
from wqscore.rendering.html.charts import DASHES, finish, log_axis
from wqscore.rendering.html.palette import MARKS
from wqscore.rendering.html.vega_lite import Spec, field, layer, mark

#: Font sizes in pixels, before the page scales a chart to its column; a phone's is half as wide as the boxes.
_LABEL, _TITLE, _BOX_LABEL = 13, 14, 15
#: In characters; longer names end in an ellipsis.
_MAX_LABEL, _MAX_TITLE = 24, 40


def scatter(metric: str, known: str, log: bool) -> Spec:
    """Return a chart of a metric against the published result, a point per model.

    Dataset: `models` (x, y, mark: a key of MARKS).

    Args:
        metric: the title of the horizontal axis.
        known: the title of the vertical axis.
        log: whether the metric is on a log axis.
    """
    fonts = {"labelFontSize": _LABEL, "titleFontSize": _TITLE}
    fitted: Spec = {"scale": {"zero": False, "padding": 8}, "axis": {}}
    across = log_axis() if log else fitted
    points = layer(
        "models",
        mark("point", filled=True, size=80, opacity=0.9),
        name="points",
        x=field("x:Q", title=_short(metric, _MAX_TITLE), scale=across["scale"], axis=across["axis"] | fonts),
        y=field("y:Q", title=_short(known, _MAX_TITLE), scale=fitted["scale"], axis=fonts),
        color=_colour(),
        shape=_shape(),
    )
    return finish([points])


def taus_over_groups(metrics: Sequence[str], marks: Sequence[str]) -> Spec:
    """Return a chart with a box per metric over Kendall's taus within groups, the groups' points, and a line at 0.

    A box spans the middle half of the groups, its line is their median, and its whiskers reach the extremes.

    Datasets: `taus` (metric: its index, tau, mark: a key of MARKS), `zero` (tau).

    Args:
        metrics: in order, from the top.
        marks: the groups' marks, in order, from the top of each box.
    """
    # By index, since shortened names may be equal. JSON strings are valid in Vega's expressions.
    names = json.dumps([_short(metric, _MAX_LABEL) for metric in metrics])
    labels = {"labelExpr": f"{names}[datum.value]", "labelFontSize": _BOX_LABEL, "labelLimit": 0}
    y = field(
        "metric:N",
        title=None,
        scale={"domain": list(range(len(metrics))), "padding": 0.5},
        axis={**labels, "domain": False, "ticks": False},
    )
    x = field(
        "tau:Q",
        title="Kendall’s tau within each group",
        scale={"domain": [-1, 1]},
        axis={"labelFontSize": _BOX_LABEL, "titleFontSize": _BOX_LABEL, "values": [-1, -0.5, 0, 0.5, 1]},
    )
    boxes = mark(
        "boxplot",
        extent="min-max",
        box={"fill": "currentColor", "opacity": 0.15},
        median={"fill": "currentColor", "opacity": 0.6},
        rule={"color": "currentColor", "opacity": 0.6},
    )
    points = layer(
        "taus",
        mark("point", filled=True, size=45, opacity=0.9),
        name="points",
        x=x,
        y=y,
        yOffset=field("mark:N", scale={"domain": list(marks)}),
        color=_colour(),
        shape=_shape(),
    )
    zero = layer("zero", mark("rule", strokeDash=DASHES, color="currentColor"), x=field("tau:Q"))
    return finish([zero, layer("taus", boxes, x=x, y=y), points])


def _short(name: str, most: int) -> str:
    """A name without control characters or split emojis, on which vl-convert aborts or fails, and shortened."""
    shown = printable(name)
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"


def _colour() -> Spec:
    scale = {"domain": list(MARKS), "range": [colour for colour, _ in MARKS.values()]}
    return field("mark:N", scale=scale, legend=None)


def _shape() -> Spec:
    scale = {"domain": list(MARKS), "range": [outline for _, outline in MARKS.values()]}
    return field("mark:N", scale=scale, legend=None)

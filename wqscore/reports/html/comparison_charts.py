"""The charts that set models beside each other, as Vega-Lite specifications without data, as in `charts`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wqscore.rendering.html.charts import DASHES, finish, layer_axis, number, ring, role_points
from wqscore.rendering.html.vega_lite import Spec, field, if_else, layer, mark, value

#: Stands for the title of the vertical axis, which the page's script fills in: the metric that is chosen.
TITLE = "(title)"


def by_size() -> Spec:
    """A metric of one family's models against their parameters.

    Dataset: `models` (name, parameters, value, lo, hi, interval, colour, outline, filled, chosen).
    """
    axis = {"labelExpr": "!datum.label ? '' : format(datum.value, '~s')", "labelOverlap": "greedy", "grid": False}
    scale = {"type": "log", "nice": False, "padding": 30}
    x = field("parameters:Q", title="parameters", scale=scale, axis=axis)
    y = _value({"zero": False, "padding": 8, "nice": True})
    tooltip = [field("name:N"), number("value"), _interval(), field("parameters:Q", format=",")]
    points = _points("models", 90, x=x, y=y, tooltip=tooltip)
    return finish([_lines("models", x=x), points, ring("models", x, y)], 170)


def by_depth() -> Spec:
    """A metric of the matrices of one role, layer by layer, models overlaid.

    Datasets: `layers` (name, model, place, order, value, lo, hi, interval, verdict, colour, outline, filled, chosen),
    `extent` (value: the ends of the vertical axis, to be the same for every role), `none` (value: of models that do
    not differ).
    """
    x, y, beside = layer_axis(grid=False), _value({"zero": False, "nice": True}), field("model:N")
    tooltip = [field("model:N"), field("name:N"), number("value"), _interval(), field("verdict:N")]
    points = _points("layers", 40, x=x, y=y, xOffset=beside, tooltip=tooltip)
    extent = layer("extent", mark("point", opacity=0), y=y)
    lines = _lines("layers", x=x, xOffset=beside)
    return finish([_zero(y), lines, points, ring("layers", x, y, beside), extent], 112)


def differences(roles: Sequence[str]) -> Spec:
    """What every matrix differs by between two models, layer by layer; the roles differ in colour and in shape.

    Datasets: `changes` (name, role, place, order, value, verdict, chosen), `none` (value: of models that do not
    differ).

    Args:
        roles: the roles in the legend.
    """
    x, y = layer_axis(grid=True), field("value:Q", title=TITLE)
    points = role_points("changes", roles, x, y, number("value"))
    return finish([_zero(y), points, ring("changes", x, y, points["encoding"]["xOffset"])])


def _value(scale: Spec) -> Spec:
    return field("value:Q", title=TITLE, scale=scale, axis={"tickCount": 5})


def _zero(y: Spec) -> Spec:
    return layer("none", mark("rule", strokeDash=DASHES, color="currentColor", opacity=0.7), y=y)


def _points(data: str, size: int, **channels: Any) -> Spec:
    """Marks with the colour and the outline that their rows name, hollow unless `filled`."""
    return layer(
        data,
        mark("point", size=size, opacity=1, strokeWidth=1.6),
        name="points",
        color=field("colour:N", scale=None),
        fill=if_else("datum.filled", field("colour:N", scale=None), value("transparent")),
        shape=field("outline:N", scale=None),
        **channels,
    )


def _lines(data: str, **channels: Any) -> Spec:
    """The intervals of the rows that have one."""
    drawn = mark("rule", strokeWidth=1.5, opacity=0.45)
    ends: Spec = {"y": field("lo:Q"), "y2": field("hi")}
    return layer(data, drawn, only="isValid(datum.lo)", color=field("colour:N", scale=None), **ends, **channels)


def _interval() -> Spec:
    return field("interval:N", title="95 % interval")

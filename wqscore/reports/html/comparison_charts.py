"""The charts that set models beside each other, as Vega-Lite specifications without data, as in `charts`."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from wqscore.rendering.html.charts import Spec, finish, layer_axis, made_once, ring, role_points

_DASHES = (5, 4)
#: Stands for the title of the vertical axis, which the page's script fills in: the metric that is chosen.
TITLE = "(title)"


@made_once
def by_size() -> Spec:
    """A metric of one family's models against their parameters.

    Dataset: `models` (name, parameters, value, lo, hi, interval, colour, outline, filled, chosen).
    """
    axis = alt.Axis(labelExpr="!datum.label ? '' : format(datum.value, '~s')", labelOverlap="greedy", grid=False)
    x = alt.X("parameters:Q", title="parameters", scale=alt.Scale(type="log", nice=False, padding=30), axis=axis)
    y = alt.Y("value:Q", title=TITLE, scale=alt.Scale(zero=False, padding=8, nice=True), axis=alt.Axis(tickCount=5))
    models = alt.NamedData(name="models")
    tooltip = [alt.Tooltip("name:N"), _number("value"), _interval(), alt.Tooltip("parameters:Q", format=",")]
    points = _points(alt.Chart(models, name="points"), 90).encode(x=x, y=y, tooltip=tooltip)
    return finish(_lines(models, x) + points + ring(models, x, y), 170)


@made_once
def by_depth() -> Spec:
    """A metric of the matrices of one role, layer by layer, models overlaid.

    Datasets: `layers` (name, model, place, order, value, lo, hi, interval, verdict, colour, outline, filled, chosen),
    `extent` (value: the ends of the vertical axis, to be the same for every role), `none` (value: of models that do
    not differ).
    """
    x = layer_axis(grid=False)
    y = alt.Y("value:Q", title=TITLE, scale=alt.Scale(zero=False, nice=True), axis=alt.Axis(tickCount=5))
    layers = alt.NamedData(name="layers")
    tooltip = [*map(alt.Tooltip, ("model:N", "name:N")), _number("value"), _interval(), alt.Tooltip("verdict:N")]
    beside = alt.XOffset("model:N")
    points = _points(alt.Chart(layers, name="points"), 40).encode(x=x, y=y, xOffset=beside, tooltip=tooltip)
    extent = alt.Chart(alt.NamedData(name="extent")).mark_point(opacity=0).encode(y=y)
    return finish(
        _zero(y) + _lines(layers, x).encode(xOffset=beside) + points + ring(layers, x, y, beside) + extent, 112
    )


@made_once
def differences(roles: Sequence[str]) -> Spec:
    """What every matrix differs by between two models, layer by layer; the roles differ in colour and in shape.

    Datasets: `changes` (name, role, place, order, value, verdict, chosen), `none` (value: of models that do not
    differ).

    Args:
        roles: the roles in the legend.
    """
    x = layer_axis(grid=True)
    y = alt.Y("value:Q", title=TITLE)
    changes = alt.NamedData(name="changes")
    points = role_points(changes, roles, x, y, _number("value"))
    beside = alt.XOffset("role:N", scale=alt.Scale(domain=roles))
    return finish(_zero(y) + points + ring(changes, x, y, beside))


def _zero(y: alt.Y) -> alt.Chart:
    none = alt.Chart(alt.NamedData(name="none"))
    return none.mark_rule(strokeDash=_DASHES, color="currentColor", opacity=0.7).encode(y=y)


def _points(chart: alt.Chart, size: int) -> alt.Chart:
    """Marks with the colour and the outline that their rows name, hollow unless `filled`."""
    fill = alt.Fill("colour:N", scale=None)
    return chart.mark_point(size=size, opacity=1, strokeWidth=1.6).encode(
        color=alt.Color("colour:N", scale=None),
        fill=alt.condition("datum.filled", fill, alt.value("transparent")),
        shape=alt.Shape("outline:N", scale=None),
    )


def _lines(data: alt.NamedData, x: alt.X) -> alt.Chart:
    """The intervals of the rows that have one."""
    known = alt.Chart(data).transform_filter("isValid(datum.lo)").mark_rule(strokeWidth=1.5, opacity=0.45)
    return known.encode(x=x, y="lo:Q", y2="hi:Q", color=alt.Color("colour:N", scale=None))


def _interval() -> alt.Tooltip:
    return alt.Tooltip("interval:N", title="95 % interval")


def _number(field: str) -> alt.Tooltip:
    return alt.Tooltip(f"{field}:Q", format=".4~g")

"""The charts that set models beside each other, as Vega-Lite specifications without data, as in `charts`."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from wqscore.rendering.html.charts import Spec, finish, layer_axis, role_points
from wqscore.rendering.html.scatter_marks import MARKS

_KEYS = list(MARKS)
_DASHES = (5, 4)


def by_size() -> Spec:
    """A metric of models against their parameters.

    Dataset: `models` (name, family, mark, parameters, value, chosen); `mark` is a key of `MARKS`.
    """
    axis = alt.Axis(labelExpr="!datum.label ? '' : format(datum.value, '~s')", labelOverlap="greedy", grid=False)
    scale = alt.Scale(type="log", nice=False, padding=20)
    x = alt.X("parameters:Q", title="parameters", scale=scale, axis=axis)
    y = alt.Y("value:Q", title=None, scale=alt.Scale(zero=False, padding=12, nice=True))
    models = alt.NamedData(name="models")
    tooltip = [
        alt.Tooltip("name:N"),
        alt.Tooltip("family:N"),
        _number("value"),
        alt.Tooltip("parameters:Q", format=","),
    ]
    points = _points(alt.Chart(models, name="points"), 110).encode(x=x, y=y, tooltip=tooltip)
    return finish(points + _rings(models, x, y))


def by_depth() -> Spec:
    """A metric of the matrices of one role, layer by layer, models overlaid.

    Datasets: `layers` (name, model, mark, place, order, value, chosen), `extent` (value: the ends of the vertical
    axis, to be the same for every role).
    """
    x = layer_axis(grid=False)
    y = alt.Y("value:Q", title=None, scale=alt.Scale(zero=False, nice=True), axis=alt.Axis(tickCount=5))
    layers = alt.NamedData(name="layers")
    tooltip = [alt.Tooltip("model:N"), alt.Tooltip("name:N"), _number("value")]
    points = _points(alt.Chart(layers, name="points"), 45).encode(x=x, y=y, tooltip=tooltip)
    extent = alt.Chart(alt.NamedData(name="extent")).mark_point(opacity=0).encode(y=y)
    chart = finish(points + _rings(layers, x, y) + extent)
    return chart | {"height": 150}


def differences(roles: Sequence[str]) -> Spec:
    """What every matrix differs by between two models, layer by layer; the roles differ in colour and in shape.

    Datasets: `changes` (name, role, place, order, difference, chosen), `none` (difference: of models that do not
    differ).

    Args:
        roles: the roles in the legend.
    """
    x = layer_axis(grid=True)
    y = alt.Y("difference:Q", title="difference")
    changes = alt.NamedData(name="changes")
    points = role_points(changes, roles, x, y, _number("difference"))
    none = alt.Chart(alt.NamedData(name="none")).mark_rule(strokeDash=_DASHES, color="currentColor", opacity=0.7)
    return finish(points + none.encode(y=y) + _rings(changes, x, y))


def _points(chart: alt.Chart, size: int) -> alt.Chart:
    colours, outlines = zip(*MARKS.values(), strict=True)
    return chart.mark_point(filled=True, size=size, opacity=0.9).encode(
        color=alt.Color("mark:N", scale=alt.Scale(domain=_KEYS, range=colours), legend=None),
        shape=alt.Shape("mark:N", scale=alt.Scale(domain=_KEYS, range=outlines), legend=None),
    )


def _rings(data: alt.NamedData, x: alt.X, y: alt.Y) -> alt.Chart:
    """Around what is chosen, without a fill that would take the pointer from it."""
    chosen = alt.Chart(data).transform_filter("datum.chosen").encode(x=x, y=y)
    return chosen.mark_point(size=300, strokeWidth=2, shape="circle", color="currentColor", fill=None)


def _number(field: str) -> alt.Tooltip:
    return alt.Tooltip(f"{field}:Q", format=".4~g")

"""Charts for `wqscore plot` and `plot()`: models by depth, spectra side by side, a ranking's intervals.

Specifications without data, as in `charts`, whose parts they use. A mark is filled where the verdict is ok, and
hollow elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import altair as alt

from wqscore.rendering.html.charts import Spec, finish, layer_axis
from wqscore.rendering.html.palette import BLUE, GREEN, GREY, MARKS, OTHERS, ROLE_MARKS, VERMILLION

_DASHES = (5, 4)
#: What the legend of a spectrum calls each dataset that is drawn, and its colour there.
_LEGEND = MappingProxyType(
    {
        "density": ("eigenvalues", BLUE),
        "tail": ("power law", VERMILLION),
        "law": ("Marchenko–Pastur", GREEN),
        "shuffled": ("shuffled", GREY),
    }
)
#: What concerns a whole picture, and no part of it.
_WHOLE = ("$schema", "config", "background")
#: Pixels of a row of intervals, and of the longest label.
_ROW, _LABEL = 24, 260


def spectrum(spec: Spec, kinds: Sequence[str]) -> Spec:
    """The chart of a spectrum with a legend, and with its shuffle's: dataset `shuffled` (eigenvalue, density).

    Args:
        spec: the chart of one spectrum, as in `charts`.
        kinds: the datasets that have rows.
    """
    bins = next(layer for layer in spec["layer"] if layer["data"]["name"] == "density")
    mark = bins["mark"] | {"filled": False, "strokeWidth": 1.2}
    shuffled = {**bins, "data": {"name": "shuffled"}, "mark": mark, "name": "shuffled"}
    shown = [_LEGEND[kind] for kind in _LEGEND if kind in kinds]
    words, colours = [word for word, _ in shown], [colour for _, colour in shown]
    scale = {"domain": words, "range": colours}
    layers = [layer for layer in (shuffled, *spec["layer"]) if layer["data"]["name"] in kinds]
    return spec | {"layer": [_in_legend(layer, scale) for layer in layers]}


def _in_legend(layer: Spec, scale: Mapping[str, Sequence[str]]) -> Spec:
    if layer["data"]["name"] not in _LEGEND:
        return layer
    word = _LEGEND[layer["data"]["name"]][0]
    colour = {"field": "series", "type": "nominal", "scale": scale, "legend": {"title": None, "orient": "top"}}
    named = [{"calculate": f"'{word}'", "as": "series"}]
    return layer | {"encoding": layer["encoding"] | {"color": colour}, "transform": named}


def spectra_grid(spec: Spec, matrices: Sequence[str], columns: int, width: float, height: float) -> Spec:
    """The chart of a spectrum for many matrices, a small chart each, on common axes.

    Dataset: `spectra` (matrix, kind, eigenvalue, density); `kind` is the name of a dataset of the chart.

    Args:
        spec: the chart of one spectrum, from `spectrum`.
        matrices: their labels, in order.
        columns: charts beside each other.
        width: of one, in pixels.
        height: of one.
    """
    return _whole(spec) | {
        "data": {"name": "spectra"},
        "facet": {"field": "matrix", "type": "nominal", "sort": list(matrices), "header": _header(width)},
        "columns": columns,
        "spacing": 10,
        "spec": {"layer": [_small(layer) for layer in spec["layer"]], "width": width, "height": height},
    }


def _small(layer: Spec) -> Spec:
    """A layer of the grid: the rows of its kind, in small marks, without titles of axes."""
    encoding = {
        channel: found | {"title": None, "axis": found["axis"] | {"labelFontSize": 8}} if "axis" in found else found
        for channel, found in layer["encoding"].items()
    }
    mark = layer["mark"] | ({"size": 6, "filled": True} if layer["mark"]["type"] == "point" else {"strokeWidth": 1.2})
    kind = {"filter": f"datum.kind === '{layer['data']['name']}'"}
    rest = {key: part for key, part in layer.items() if key not in ("name", "data")}
    return rest | {"encoding": encoding, "mark": mark, "transform": [kind, *layer.get("transform", [])]}


def depth_of_roles(title: str, roles: Sequence[str], band: bool) -> Spec:
    """A metric layer by layer, the roles in colours and shapes.

    Datasets: `layers` (name, role, place, order, value, verdict, ok), `average` (value), `band` (lo, hi).

    Args:
        title: of the vertical axis.
        roles: the roles in the legend.
        band: whether the usual range of alpha is shaded, on an axis that begins at 1.
    """
    line = alt.StrokeValue("currentColor")
    return finish(_by_depth(title, "role", {role: ROLE_MARKS[role] for role in roles}, line, band))


def depth_of_models(title: str, models: Sequence[str], band: bool) -> Spec:
    """The same of several models, each in a colour and a shape; `layers` and `average` have a field `model` too.

    Args:
        title: of the vertical axis.
        models: their names, in the order of the legend; those after the sixth share one mark.
        band: as for `depth_of_roles`.
    """
    marks = marks_of(models)
    return finish(_by_depth(title, "model", marks, _marked("model", marks)["stroke"], band))


def role_panels(
    title: str, roles: Sequence[str], models: Sequence[str], band: bool, columns: int, width: float
) -> Spec:
    """A metric layer by layer, a panel for each role and the models in colours and shapes.

    Datasets: `layers` and `band`, as for `depth_of_models`.

    Args:
        title: of the vertical axis.
        roles: the roles, in order.
        models: as for `depth_of_models`.
        band: as for `depth_of_roles`.
        columns: panels beside each other.
        width: of one, in pixels.
    """
    spec = depth_of_models(title, models, band)
    layers = [
        {key: part for key, part in layer.items() if key != "name" and (key != "data" or part["name"] == "band")}
        for layer in spec["layer"]
        if layer["data"]["name"] != "average"
    ]
    return _whole(spec) | {
        "data": {"name": "layers"},
        "facet": {"field": "role", "type": "nominal", "sort": list(roles), "header": _header(width)},
        "columns": columns,
        "spacing": 12,
        "spec": {"layer": layers, "width": width, "height": 110},
    }


def intervals(title: str, families: Mapping[str, Sequence[str]], band: bool) -> Spec:
    """The number of each model with its interval: an axis for each family, its models in their order.

    Datasets: `models` (name, family, value, lo, hi, rank, ties, ranked), `band` (lo, hi).

    Args:
        title: of the axis.
        families: the names of each family's models.
        band: whether the usual range of alpha is shaded.
    """
    specs = [finish(_family(title, family, names, band)) for family, names in families.items()]
    parts = [
        {key: part for key, part in spec.items() if key not in (*_WHOLE, "width")} | {"height": _ROW * len(names)}
        for spec, names in zip(specs, families.values(), strict=True)
    ]
    return _whole(specs[0]) | {"vconcat": parts, "spacing": 18}


def over_steps(title: str, unit: str, band: bool) -> Spec:
    """A metric over the steps of a training, with its interval as an area and a ring around the best step.

    Datasets: `points` (step, value, lo, hi, best; without an interval, `lo` and `hi` are the value; `best` may be
    missing), `band` (lo, hi).

    Args:
        title: of the vertical axis.
        unit: what steps count.
        band: whether the usual range of alpha is shaded.
    """
    data = alt.NamedData(name="points")
    axis = alt.Axis(grid=False, format=",d", labelOverlap="greedy")
    x = alt.X("step:Q", title=unit, scale=alt.Scale(zero=False, nice=False, padding=14), axis=axis)
    scale = alt.Scale(zero=False, nice=True)
    y = alt.Y("value:Q", title=title, scale=scale)
    tooltip = [alt.Tooltip("step:Q"), *(alt.Tooltip(f"{name}:Q", format=".4~g") for name in ("value", "lo", "hi"))]
    base = alt.Chart(data).encode(x=x)
    area = base.mark_area(color=BLUE, opacity=0.22).encode(y=alt.Y("lo:Q", title=title, scale=scale), y2="hi:Q")
    line = base.mark_line(color=BLUE, strokeWidth=2).encode(y=y)
    points = base.mark_point(filled=True, size=55, color=BLUE, opacity=1).encode(y=y, tooltip=tooltip)
    best = base.transform_filter("datum.best").encode(y=y)
    ring = best.mark_point(size=300, strokeWidth=2, shape="circle", color="currentColor", fill=None)
    return finish(alt.layer(*_band("y", band), area, line, points, ring))


def marks_of(names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Colour and shape for each name: a mark of its own for the first six, one for all others."""
    own = [key for key in MARKS if key != OTHERS]
    return {name: MARKS[own[index] if index < len(own) else OTHERS] for index, name in enumerate(names)}


def _by_depth(title: str, field: str, marks: Mapping[str, tuple[str, str]], line: Any, band: bool) -> alt.LayerChart:
    """Marks by layer, coloured and shaped by a field, with the averages as dashed lines."""
    scale = alt.Scale(domainMin=1, nice=True) if band else alt.Scale(zero=False, nice=True)
    y = alt.Y("value:Q", title=title, scale=scale)
    texts = [alt.Tooltip(f"{name}:N") for name in dict.fromkeys([field, "name", "role", "verdict"])]
    points = (
        alt.Chart(alt.NamedData(name="layers"), name="points")
        .mark_point(size=50, strokeWidth=1.4)
        .encode(
            x=layer_axis(grid=True),
            y=y,
            fillOpacity=alt.condition("datum.ok", alt.value(0.85), alt.value(0)),
            tooltip=[*texts, alt.Tooltip("value:Q", format=".4~g")],
            **_marked(field, marks),
        )
    )
    averages = alt.Chart(alt.NamedData(name="average")).mark_rule(strokeDash=_DASHES, strokeWidth=1.4, opacity=0.8)
    return alt.layer(*_band("y", band), averages.encode(y=y, stroke=line), points)


def _marked(field: str, marks: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    """Fill, outline and shape by a field, in one legend."""
    names, colours, shapes = list(marks), *([mark[i] for mark in marks.values()] for i in range(2))
    # Names of models are long: beside the chart they would take its width.
    place = {"orient": "top", "columns": 1} if field == "model" else {}
    legend = alt.Legend(title=None, symbolSize=60, symbolOpacity=1, labelLimit=_LABEL, **place)
    of_colours = alt.Scale(domain=names, range=colours)
    return {
        "fill": alt.Fill(f"{field}:N", scale=of_colours, legend=legend),
        "stroke": alt.Stroke(f"{field}:N", scale=of_colours, legend=legend),
        "shape": alt.Shape(f"{field}:N", scale=alt.Scale(domain=names, range=shapes), legend=legend),
    }


def _family(title: str, family: str, names: Sequence[str], band: bool) -> alt.LayerChart:
    own = alt.Chart(alt.NamedData(name="models")).transform_filter(
        alt.FieldEqualPredicate(field="family", equal=family)
    )
    axis = alt.Axis(labelLimit=_LABEL, ticks=False, domain=False, grid=False)
    y = alt.Y("name:N", title=None, sort=list(names), axis=axis)
    x = alt.X("value:Q", title=title, scale=alt.Scale(zero=False, nice=True, padding=6))
    rule = own.mark_rule(strokeWidth=2, color=BLUE).encode(x=alt.X("lo:Q", title=title), x2="hi:Q", y=y)
    texts = [alt.Tooltip(f"{name}:N") for name in ("name", "family", "rank", "ties")]
    numbers = [alt.Tooltip(f"{name}:Q", format=".4~g") for name in ("value", "lo", "hi")]
    points = own.mark_point(size=70, strokeWidth=1.6, fill=BLUE, stroke=BLUE, shape="circle", opacity=1).encode(
        x=x,
        y=y,
        fillOpacity=alt.condition("datum.ranked", alt.value(1), alt.value(0)),
        tooltip=[*texts, *numbers],
    )
    heading = alt.Title(family, anchor="start", frame="group", fontSize=11, fontWeight="normal", color="currentColor")
    return alt.layer(*_band("x", band), rule, points).properties(title=heading)


def _band(channel: str, drawn: bool) -> list[alt.Chart]:
    """The usual range of trained layers' alpha, shaded; dataset `band` (lo, hi)."""
    ends = {channel: "lo:Q", f"{channel}2": "hi:Q"}
    return [alt.Chart(alt.NamedData(name="band")).mark_rect(color=BLUE, opacity=0.08).encode(**ends)] * drawn


def _whole(spec: Spec) -> Spec:
    """What of a specification concerns the whole picture."""
    return {key: spec[key] for key in _WHOLE}


def _header(width: float) -> Spec:
    return {"labelColor": "currentColor", "labelLimit": width, "labelFontSize": 9, "title": None}

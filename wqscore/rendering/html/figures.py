"""Charts for `wqscore plot` and `plot()`: models by depth, spectra side by side, a ranking's intervals.

Specifications without data, as in `charts`, whose parts they use. A mark is filled where the verdict is ok, and
hollow elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from wqscore.rendering.html.charts import DASHES, finish, layer_axis, number
from wqscore.rendering.html.palette import BLUE, GREEN, GREY, MARKS, OTHERS, ROLE_MARKS, VERMILLION
from wqscore.rendering.html.vega_lite import Spec, field, if_else, layer, mark, value

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
_WHOLE = ("config", "background")
#: Pixels of a row of intervals, and of the longest label.
_ROW, _LABEL = 24, 260


def spectrum(spec: Spec, kinds: Sequence[str]) -> Spec:
    """The chart of a spectrum with a legend, and with its shuffle's: dataset `shuffled` (eigenvalue, density).

    Args:
        spec: the chart of one spectrum, as in `charts`.
        kinds: the datasets that have rows.
    """
    bins = next(part for part in spec["layer"] if part["data"]["name"] == "density")
    hollow = bins["mark"] | {"filled": False, "strokeWidth": 1.2}
    shuffled = {**bins, "data": {"name": "shuffled"}, "mark": hollow, "name": "shuffled"}
    shown = [_LEGEND[kind] for kind in _LEGEND if kind in kinds]
    words, colours = [word for word, _ in shown], [colour for _, colour in shown]
    scale = {"domain": words, "range": colours}
    parts = [part for part in (shuffled, *spec["layer"]) if part["data"]["name"] in kinds]
    return spec | {"layer": [_in_legend(part, scale) for part in parts]}


def _in_legend(part: Spec, scale: Mapping[str, Sequence[str]]) -> Spec:
    if part["data"]["name"] not in _LEGEND:
        return part
    word = _LEGEND[part["data"]["name"]][0]
    colour = field("series:N", scale=scale, legend={"title": None, "orient": "top"})
    named = [{"calculate": f"'{word}'", "as": "series"}]
    return part | {"encoding": part["encoding"] | {"color": colour}, "transform": named}


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
        "spec": {"layer": [_small(part) for part in spec["layer"]], "width": width, "height": height},
    }


def _small(part: Spec) -> Spec:
    """A layer of the grid: the rows of its kind, in small marks, without titles of axes."""
    encoding = {
        channel: found | {"title": None, "axis": found["axis"] | {"labelFontSize": 8}} if "axis" in found else found
        for channel, found in part["encoding"].items()
    }
    drawn = part["mark"] | ({"size": 6, "filled": True} if part["mark"]["type"] == "point" else {"strokeWidth": 1.2})
    kind = {"filter": f"datum.kind === '{part['data']['name']}'"}
    rest = {key: found for key, found in part.items() if key not in ("name", "data")}
    return rest | {"encoding": encoding, "mark": drawn, "transform": [kind, *part.get("transform", [])]}


def depth_of_roles(title: str, roles: Sequence[str], band: bool) -> Spec:
    """A metric layer by layer, the roles in colours and shapes.

    Datasets: `layers` (name, role, place, order, value, verdict, ok), `average` (value), `band` (lo, hi).

    Args:
        title: of the vertical axis.
        roles: the roles in the legend.
        band: whether the usual range of alpha is shaded, on an axis that begins at 1.
    """
    return finish(_by_depth(title, "role", {role: ROLE_MARKS[role] for role in roles}, value("currentColor"), band))


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
        {key: found for key, found in part.items() if key != "name" and (key != "data" or found["name"] == "band")}
        for part in spec["layer"]
        if part["data"]["name"] != "average"
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
    parts = [_family(title, family, names, band) for family, names in families.items()]
    return _whole(finish([])) | {"vconcat": parts, "spacing": 18}


def over_steps(title: str, unit: str, band: bool) -> Spec:
    """A metric over the steps of a training, with its interval as an area and a ring around the best step.

    Datasets: `points` (step, value, lo, hi, best; without an interval, `lo` and `hi` are the value; `best` may be
    missing), `band` (lo, hi).

    Args:
        title: of the vertical axis.
        unit: what steps count.
        band: whether the usual range of alpha is shaded.
    """
    axis = {"grid": False, "format": ",d", "labelOverlap": "greedy"}
    x = field("step:Q", title=unit, scale={"zero": False, "nice": False, "padding": 14}, axis=axis)
    scale = {"zero": False, "nice": True}
    y = field("value:Q", title=title, scale=scale)
    ends: Spec = {"y": field("lo:Q", title=title, scale=scale), "y2": field("hi")}
    tooltip = [field("step:Q"), *map(number, ("value", "lo", "hi"))]
    ring = mark("point", size=300, strokeWidth=2, shape="circle", color="currentColor", fill=None)
    return finish(
        [
            *_band("y", band),
            layer("points", mark("area", color=BLUE, opacity=0.22), x=x, **ends),
            layer("points", mark("line", color=BLUE, strokeWidth=2), x=x, y=y),
            layer("points", mark("point", filled=True, size=55, color=BLUE, opacity=1), x=x, y=y, tooltip=tooltip),
            layer("points", ring, only="datum.best", x=x, y=y),
        ]
    )


def marks_of(names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Colour and shape for each name: a mark of its own for the first six, one for all others."""
    own = [key for key in MARKS if key != OTHERS]
    return {name: MARKS[own[index] if index < len(own) else OTHERS] for index, name in enumerate(names)}


def _by_depth(title: str, key: str, marks: Mapping[str, tuple[str, str]], line: Spec, band: bool) -> list[Spec]:
    """Marks by layer, coloured and shaped by a field, with the averages as dashed lines."""
    y = field("value:Q", title=title, scale={"domainMin": 1, "nice": True} if band else {"zero": False, "nice": True})
    points = layer(
        "layers",
        mark("point", size=50, strokeWidth=1.4),
        name="points",
        x=layer_axis(grid=True),
        y=y,
        fillOpacity=if_else("datum.ok", value(0.85), value(0)),
        tooltip=[
            *(field(f"{name}:N") for name in dict.fromkeys([key, "name", "role", "verdict"])),
            number("value"),
        ],
        **_marked(key, marks),
    )
    dashed = mark("rule", strokeDash=DASHES, strokeWidth=1.4, opacity=0.8)
    return [*_band("y", band), layer("average", dashed, y=y, stroke=line), points]


def _marked(key: str, marks: Mapping[str, tuple[str, str]]) -> Spec:
    """Fill, outline and shape by a field, in one legend."""
    names, colours, shapes = list(marks), *([found[i] for found in marks.values()] for i in range(2))
    # Names of models are long: beside the chart they would take its width.
    place = {"orient": "top", "columns": 1} if key == "model" else {}
    legend = {"title": None, "symbolSize": 60, "symbolOpacity": 1, "labelLimit": _LABEL, **place}
    colour = field(f"{key}:N", scale={"domain": names, "range": colours}, legend=legend)
    shape = field(f"{key}:N", scale={"domain": names, "range": shapes}, legend=legend)
    return {"fill": colour, "stroke": colour, "shape": shape}


def _family(title: str, family: str, names: Sequence[str], band: bool) -> Spec:
    """The intervals of one family's models, as a part of a picture."""
    own = {"field": "family", "equal": family}
    axis = {"labelLimit": _LABEL, "ticks": False, "domain": False, "grid": False}
    y = field("name:N", title=None, sort=list(names), axis=axis)
    x = field("value:Q", title=title, scale={"zero": False, "nice": True, "padding": 6})
    ends: Spec = {"x": field("lo:Q", title=title), "x2": field("hi")}
    rule = layer("models", mark("rule", strokeWidth=2, color=BLUE), only=own, **ends, y=y)
    points = layer(
        "models",
        mark("point", size=70, strokeWidth=1.6, fill=BLUE, stroke=BLUE, shape="circle", opacity=1),
        only=own,
        x=x,
        y=y,
        fillOpacity=if_else("datum.ranked", value(1), value(0)),
        tooltip=[
            *(field(f"{name}:N") for name in ("name", "family", "rank", "ties")),
            *map(number, ("value", "lo", "hi")),
        ],
    )
    heading = {"anchor": "start", "frame": "group", "fontSize": 11, "fontWeight": "normal", "color": "currentColor"}
    return {
        "title": {"text": family, **heading},
        "layer": [*_band("x", band), rule, points],
        "height": _ROW * len(names),
    }


def _band(channel: str, drawn: bool) -> list[Spec]:
    """The usual range of trained layers' alpha, shaded; dataset `band` (lo, hi)."""
    ends: Spec = {channel: field("lo:Q"), f"{channel}2": field("hi")}
    return [layer("band", mark("rect", color=BLUE, opacity=0.08), **ends)] * drawn


def _whole(spec: Spec) -> Spec:
    """What of a specification concerns the whole picture."""
    return {key: spec[key] for key in _WHOLE}


def _header(width: float) -> Spec:
    return {"labelColor": "currentColor", "labelLimit": width, "labelFontSize": 9, "title": None}

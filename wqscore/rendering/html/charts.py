"""The report's charts as Vega-Lite specifications without data: the page's scripts or `to_svg` add it by name.

Text, axes and grid take the page's own colour (`currentColor`), so one chart serves the light and the dark page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import version

from wqscore.rendering.html import vega
from wqscore.rendering.html.kept_scripts import kept_script
from wqscore.rendering.html.palette import BLUE, GREEN, ROLE_MARKS, VERMILLION
from wqscore.rendering.html.vega_lite import Spec, field, if_else, layer, mark, value

DASHES, _DOTS = (5, 4), (1, 3)
#: The height of a chart that stands beside others.
_SMALL = 190
#: Labels of a log axis, where Vega leaves those that would be too many empty.
_LOG_LABEL = "!datum.label ? '' : format(datum.value, datum.value < 1e-3 || datum.value > 9999 ? '~e' : '~g')"


def alpha_by_depth(roles: Sequence[str]) -> Spec:
    """α layer by layer with its interval; the roles differ in colour and in shape, and stand beside each other.

    Datasets: `layers` (name, role, place, order, alpha, lo, hi, interval, verdict, chosen; `order` is that of the
    places, `lo` to `hi` what is drawn of the interval, `verdict` fills the mark where it is ok), `average` (alpha),
    `band` (lo, hi, label: the range that is read as usual).

    Args:
        roles: the roles in the legend.
    """
    x, beside = layer_axis(grid=True), _beside(roles)
    y = field("alpha:Q", title="alpha", scale={"domainMin": 1, "nice": True})
    numbers = [*_numbers("alpha"), field("interval:N", title="95 % interval")]
    lines = layer(
        "layers",
        mark("rule", strokeWidth=1.5, opacity=0.45),
        only="isValid(datum.lo)",
        x=x,
        xOffset=beside,
        y=field("lo:Q"),
        y2=field("hi"),
        stroke=_role(roles, 0),
    )
    average = layer("average", mark("rule", strokeDash=DASHES, color="currentColor", opacity=0.7), y=y)
    points = role_points("layers", roles, x, y, *numbers)
    return finish([*_band(), lines, average, points, ring("layers", x, y, beside)])


def _band() -> list[Spec]:
    """The range of a number that is read as usual, shaded and labelled."""
    text = mark("text", align="right", baseline="bottom", dx=-4, dy=-3, fontSize=11, color="currentColor")
    return [
        layer("band", mark("rect", color="currentColor", opacity=0.07), y=field("lo:Q"), y2=field("hi")),
        layer("band", text, x=value("width"), y=field("hi:Q"), text=field("label:N")),
    ]


def ring(data: str, x: Spec, y: Spec, beside: Spec | None = None) -> Spec:
    """A ring around what is chosen, without a fill that would take the pointer from it."""
    drawn = mark("point", size=260, strokeWidth=2, shape="circle", color="currentColor", fill=None)
    offset: Spec = {} if beside is None else {"xOffset": beside}
    return layer(data, drawn, name="ring", only="datum.chosen", x=x, y=y, **offset)


def role_points(data: str, roles: Sequence[str], x: Spec, y: Spec, *numbers: Spec) -> Spec:
    """A mark for each matrix of a dataset (name, role, verdict, …), coloured and shaped by its role.

    It is filled where the verdict is ok, and hollow elsewhere.
    """
    colour = _role(roles, 0)
    return layer(
        data,
        mark("point", size=50, opacity=1, strokeWidth=1.6),
        name="points",
        x=x,
        y=y,
        xOffset=_beside(roles),
        color=colour,
        fill=if_else("datum.verdict === 'ok'", colour, value("transparent")),
        shape=_role(roles, 1),
        tooltip=[field("name:N"), field("role:N"), *numbers, field("verdict:N")],
    )


def _role(roles: Sequence[str], part: int) -> Spec:
    """The colours of roles, part 0 of their marks, or the shapes, part 1."""
    scale = {"domain": list(roles), "range": [ROLE_MARKS[role][part] for role in roles]}
    # Legends of one field are merged: all of them are alike.
    return field("role:N", scale=scale, legend={"title": None, "symbolSize": 70, "symbolOpacity": 1})


def _beside(roles: Sequence[str]) -> Spec:
    """The roles of one layer side by side, so that no interval hides another."""
    return field("role:N", scale={"domain": list(roles)})


def spectrum() -> Spec:
    """The density of a matrix's eigenvalues on log axes, with its fitted tail and bulk.

    Datasets: `density` (eigenvalue, density, count), `tail` (eigenvalue, density: the ends of the fitted line),
    `xmin` (eigenvalue), `law` (eigenvalue, density: of the bulk's Marchenko–Pastur law), `edge` (eigenvalue).
    """
    bins = layer(
        "density",
        mark("point", filled=True, size=40, color=BLUE, opacity=0.9),
        name="points",
        x=field("eigenvalue:Q", title="eigenvalue λ", **log_axis()),
        y=field("density:Q", title="density", **log_axis()),
        tooltip=[*_numbers("eigenvalue", "density"), field("count:Q")],
    )
    across: Spec = {"x": field("eigenvalue:Q")}
    place: Spec = {**across, "y": field("density:Q")}
    edge = layer("edge", mark("rule", strokeDash=_DOTS, color=GREEN), **across)
    law = layer("law", mark("line", color=GREEN, strokeWidth=2), **place)
    tail = layer("tail", mark("line", color=VERMILLION, strokeWidth=2.5), **place)
    return finish([_xmin_rule(), edge, law, bins, tail], _SMALL)


def distance() -> Spec:
    """The KS distance D at every candidate for xmin.

    Datasets: `scan` (eigenvalue, D), `xmin` (eigenvalue, D).
    """
    return _scan("D", "KS distance D", {})


def exponent() -> Spec:
    """The exponent alpha of the tail that begins at every candidate for xmin.

    Datasets: `scan` (eigenvalue, alpha), `xmin` (eigenvalue, alpha).
    """
    return _scan("alpha", "alpha", {"zero": False, "nice": True})


def _scan(name: str, title: str, scale: Spec) -> Spec:
    tooltip = _numbers("eigenvalue", name)
    line = layer(
        "scan",
        mark("line", color=BLUE, point={"size": 18, "color": BLUE}),
        x=field("eigenvalue:Q", title="candidate xmin", **log_axis()),
        y=field(f"{name}:Q", title=title, scale=scale),
        tooltip=tooltip,
    )
    chosen = layer(
        "xmin",
        mark("point", filled=True, size=90, shape="diamond", color=VERMILLION, opacity=1),
        x=field("eigenvalue:Q"),
        y=field(f"{name}:Q"),
        tooltip=tooltip,
    )
    return finish([_xmin_rule(), line, chosen], _SMALL)


def to_svg(spec: Spec, data: Mapping[str, Sequence[Mapping[str, object]]]) -> str:
    """Draw a chart with its data, as one picture: no text but what is seen, no ids, no style attributes.

    Args:
        spec: a specification of this module.
        data: the rows of its datasets.

    Raises:
        ReportError: it can't be drawn on this machine.
    """
    return vega.svg(spec | {"datasets": data, "width": 480, "height": 300})


@cache
def scripts() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script that defines `vegaEmbed`.

    Putting it together takes a second: once for each version of vl-convert, whose it all is.
    """
    name = f"vega-lite-of-vl-convert-{version('vl-convert-python')}.js"
    bundle = kept_script(name, lambda: vega.bundle("window.vegaEmbed = vegaEmbed;"))
    # Inside a string or a regular expression, the only places it can stand, this is the same script.
    return bundle.replace("</script", "<\\/script")


def _xmin_rule() -> Spec:
    return layer("xmin", mark("rule", strokeDash=DASHES, color=VERMILLION), x=field("eigenvalue:Q"))


def log_axis() -> Spec:
    """The scale and the axis of logarithmic values."""
    return {
        "scale": {"type": "log", "nice": False, "padding": 8},
        "axis": {"labelExpr": _LOG_LABEL, "labelSeparation": 8, "labelBound": True, "grid": False},
    }


def layer_axis(grid: bool) -> Spec:
    """The axis of layers, matrices of none last: rows have the label in `place` and its order in `order`."""
    order = {"field": "order", "op": "min", "order": "ascending"}
    axis = {"labelAngle": 0, "labelOverlap": "greedy", "grid": grid}
    return field("place:O", title="layer (–: in none)", sort=order, axis=axis)


def _numbers(*names: str) -> list[Spec]:
    return [number(name) for name in names]


def number(name: str) -> Spec:
    """A number in a tooltip."""
    return field(f"{name}:Q", format=".4~g")


def shaded_cells(share: str, x: Spec, y: Spec, font: int) -> Spec:
    """A map of cells: the stronger the colour, the larger a share; a word is written in each.

    Dataset: `cells` (the fields of both axes; the share, 0 to 1; shown).

    Args:
        share: the field of the share.
        x: the channel across.
        y: the channel down.
        font: the size of the words.
    """
    opacity = field(f"{share}:Q", scale={"domain": [0, 1], "range": [0.04, 0.75]}, legend=None)
    words = mark("text", fontSize=font, color="currentColor")
    return finish(
        [
            layer("cells", mark("rect", color=BLUE), x=x, y=y, opacity=opacity),
            layer("cells", words, x=x, y=y, text=field("shown:N")),
        ]
    )


def finish(layers: Sequence[Spec], height: int = 225) -> Spec:
    """Layers as a specification, in the page's own colours."""
    return {
        "layer": list(layers),
        "width": "container",
        "height": height,
        "background": "transparent",
        "config": {
            "font": "sans-serif",
            # The numbers are in tables: to a screen reader a chart is one picture, and says so where it stands.
            "aria": False,
            "mark": {"aria": False},
            "view": {"continuousWidth": 300, "continuousHeight": 300, "stroke": None},
            "axis": {
                "labelColor": "currentColor",
                "titleColor": "currentColor",
                "gridColor": "currentColor",
                "gridOpacity": 0.12,
                "domainColor": "currentColor",
                "tickColor": "currentColor",
                "titleFontWeight": "normal",
                "labelFontSize": 11,
                "titleFontSize": 12,
            },
            "legend": {"labelColor": "currentColor", "labelFontSize": 11},
        },
    }

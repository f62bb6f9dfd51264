"""The report's charts as Vega-Lite specifications without data: the page's scripts or `to_svg` add it by name.

Text, axes and grid take the page's own colour (`currentColor`), so one chart serves the light and the dark page.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache, wraps
from importlib.metadata import version
from typing import Any, ParamSpec

import altair as alt

from wqscore.rendering.html import vega
from wqscore.rendering.html.kept_scripts import kept_script
from wqscore.rendering.html.palette import BLUE, GREEN, ROLE_MARKS, VERMILLION

Spec = dict[str, Any]
_Roles = ParamSpec("_Roles")

_DASHES, _DOTS = (5, 4), (1, 3)
#: The height of a chart that stands beside others.
_SMALL = 190
_LEGEND = alt.Legend(title=None, symbolSize=70, symbolOpacity=1)
#: Labels of a log axis, where Vega leaves those that would be too many empty.
_LOG_LABEL = "!datum.label ? '' : format(datum.value, datum.value < 1e-3 || datum.value > 9999 ? '~e' : '~g')"


def made_once(make: Callable[_Roles, Spec]) -> Callable[_Roles, Spec]:
    """Keep what a function makes of some roles, or of nothing: Altair takes a tenth of a second for a chart.

    Each call returns a copy.
    """

    @cache
    def text(*arguments: tuple[str, ...]) -> str:
        return json.dumps(make(*arguments))  # type: ignore[call-arg, arg-type]

    @wraps(make)
    def again(*arguments: _Roles.args, **named: _Roles.kwargs) -> Spec:
        spec: Spec = json.loads(text(*(tuple(each) for each in (*arguments, *named.values()))))  # type: ignore[arg-type]
        return spec

    return again


@made_once
def alpha_by_depth(roles: Sequence[str]) -> Spec:
    """α layer by layer with its interval; the roles differ in colour and in shape, and stand beside each other.

    Datasets: `layers` (name, role, place, order, alpha, lo, hi, interval, verdict, chosen; `order` is that of the
    places, `lo` to `hi` what is drawn of the interval, `verdict` fills the mark where it is ok), `average` (alpha),
    `band` (lo, hi, label: the range that is read as usual).

    Args:
        roles: the roles in the legend.
    """
    x = layer_axis(grid=True)
    y = alt.Y("alpha:Q", title="alpha", scale=alt.Scale(domainMin=1, nice=True))
    layers, average = alt.NamedData(name="layers"), alt.NamedData(name="average")
    points = role_points(layers, roles, x, y, *_numbers("alpha"), alt.Tooltip("interval:N", title="95 % interval"))
    # Legends of one field are merged: all of them are alike.
    stroke = alt.Stroke("role:N", scale=_role_scale(roles), legend=_LEGEND)
    lines = (
        alt.Chart(layers)
        .transform_filter("isValid(datum.lo)")
        .mark_rule(strokeWidth=1.5, opacity=0.45)
        .encode(x=x, xOffset=_beside(roles), y="lo:Q", y2="hi:Q", stroke=stroke)
    )
    line = alt.Chart(average).mark_rule(strokeDash=_DASHES, color="currentColor", opacity=0.7).encode(y=y)
    return finish(_band() + lines + line + points + ring(layers, x, y, _beside(roles)))


def _band() -> alt.LayerChart:
    """The range of a number that is read as usual, shaded and labelled."""
    band = alt.Chart(alt.NamedData(name="band"))
    label = band.mark_text(align="right", baseline="bottom", dx=-4, dy=-3, fontSize=11, color="currentColor")
    shade = band.mark_rect(color="currentColor", opacity=0.07).encode(y="lo:Q", y2="hi:Q")
    return shade + label.encode(x=alt.value("width"), y="hi:Q", text="label:N")


def ring(data: alt.NamedData, x: alt.X, y: alt.Y, beside: alt.XOffset | None = None) -> alt.Chart:
    """A ring around what is chosen, without a fill that would take the pointer from it."""
    chosen = alt.Chart(data, name="ring").transform_filter("datum.chosen").encode(x=x, y=y)
    if beside is not None:
        chosen = chosen.encode(xOffset=beside)
    return chosen.mark_point(size=260, strokeWidth=2, shape="circle", color="currentColor", fill=None)


def role_points(data: alt.NamedData, roles: Sequence[str], x: alt.X, y: alt.Y, *numbers: alt.Tooltip) -> alt.Chart:
    """A mark for each matrix of a dataset (name, role, verdict, …), coloured and shaped by its role.

    It is filled where the verdict is ok, and hollow elsewhere.
    """
    shapes = [ROLE_MARKS[role][1] for role in roles]
    fill = alt.Fill("role:N", scale=_role_scale(roles), legend=_LEGEND)
    return (
        alt.Chart(data, name="points")
        .mark_point(size=50, opacity=1, strokeWidth=1.6)
        .encode(
            x=x,
            y=y,
            xOffset=_beside(roles),
            color=alt.Color("role:N", scale=_role_scale(roles), legend=_LEGEND),
            fill=alt.condition("datum.verdict === 'ok'", fill, alt.value("transparent")),
            shape=alt.Shape("role:N", scale=alt.Scale(domain=roles, range=shapes), legend=_LEGEND),
            tooltip=[alt.Tooltip("name:N"), alt.Tooltip("role:N"), *numbers, alt.Tooltip("verdict:N")],
        )
    )


def _role_scale(roles: Sequence[str]) -> alt.Scale:
    return alt.Scale(domain=roles, range=[ROLE_MARKS[role][0] for role in roles])


def _beside(roles: Sequence[str]) -> alt.XOffset:
    """The roles of one layer side by side, so that no interval hides another."""
    return alt.XOffset("role:N", scale=alt.Scale(domain=roles))


@made_once
def spectrum() -> Spec:
    """The density of a matrix's eigenvalues on log axes, with its fitted tail and bulk.

    Datasets: `density` (eigenvalue, density, count), `tail` (eigenvalue, density: the ends of the fitted line),
    `xmin` (eigenvalue), `law` (eigenvalue, density: of the bulk's Marchenko–Pastur law), `edge` (eigenvalue).
    """
    x = alt.X("eigenvalue:Q", title="eigenvalue λ", **log_axis())
    y = alt.Y("density:Q", title="density", **log_axis())
    bins = (
        alt.Chart(alt.NamedData(name="density"), name="points")
        .mark_point(filled=True, size=40, color=BLUE, opacity=0.9)
        .encode(x=x, y=y, tooltip=[*_numbers("eigenvalue", "density"), alt.Tooltip("count:Q")])
    )
    tail = (
        alt.Chart(alt.NamedData(name="tail"))
        .mark_line(color=VERMILLION, strokeWidth=2.5)
        .encode(x="eigenvalue:Q", y="density:Q")
    )
    law = (
        alt.Chart(alt.NamedData(name="law"))
        .mark_line(color=GREEN, strokeWidth=2)
        .encode(x="eigenvalue:Q", y="density:Q")
    )
    edge = alt.Chart(alt.NamedData(name="edge")).mark_rule(strokeDash=_DOTS, color=GREEN).encode(x="eigenvalue:Q")
    return finish(_xmin_rule() + edge + law + bins + tail, _SMALL)


@made_once
def distance() -> Spec:
    """The KS distance D at every candidate for xmin.

    Datasets: `scan` (eigenvalue, D), `xmin` (eigenvalue, D).
    """
    return _scan("D", "KS distance D", alt.Scale())


@made_once
def exponent() -> Spec:
    """The exponent alpha of the tail that begins at every candidate for xmin.

    Datasets: `scan` (eigenvalue, alpha), `xmin` (eigenvalue, alpha).
    """
    return _scan("alpha", "alpha", alt.Scale(zero=False, nice=True))


def _scan(field: str, title: str, scale: alt.Scale) -> Spec:
    line = (
        alt.Chart(alt.NamedData(name="scan"))
        .mark_line(color=BLUE, point=alt.OverlayMarkDef(size=18, color=BLUE))
        .encode(
            x=alt.X("eigenvalue:Q", title="candidate xmin", **log_axis()),
            y=alt.Y(f"{field}:Q", title=title, scale=scale),
            tooltip=_numbers("eigenvalue", field),
        )
    )
    chosen = (
        alt.Chart(alt.NamedData(name="xmin"))
        .mark_point(filled=True, size=90, shape="diamond", color=VERMILLION, opacity=1)
        .encode(x="eigenvalue:Q", y=f"{field}:Q", tooltip=_numbers("eigenvalue", field))
    )
    return finish(_xmin_rule() + line + chosen, _SMALL)


def to_svg(spec: Spec, data: Mapping[str, Sequence[Mapping[str, object]]]) -> str:
    """Draw a chart with its data, as one picture: no text but what is seen, no ids, no style attributes.

    Args:
        spec: a specification of this module.
        data: the rows of its datasets.

    Raises:
        ReportError: it can't be drawn on this machine.
    """
    drawn = spec | {"datasets": data, "width": 480, "height": 300}
    return vega.svg(drawn)


@cache
def scripts() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script that defines `vegaEmbed`.

    Putting it together takes a second: once for each version of vl-convert, whose it all is.
    """
    name = f"vega-lite-{vega.VEGA_LITE}-of-vl-convert-{version('vl-convert-python')}.js"
    bundle = kept_script(name, lambda: vega.bundle("window.vegaEmbed = vegaEmbed;"))
    # Inside a string or a regular expression, the only places it can stand, this is the same script.
    return bundle.replace("</script", "<\\/script")


def _xmin_rule() -> alt.Chart:
    chart = alt.Chart(alt.NamedData(name="xmin"))
    return chart.mark_rule(strokeDash=_DASHES, color=VERMILLION).encode(x="eigenvalue:Q")


def log_axis() -> dict[str, Any]:
    """The scale and the axis of logarithmic values."""
    axis = alt.Axis(labelExpr=_LOG_LABEL, labelSeparation=8, labelBound=True, grid=False)
    return {"scale": alt.Scale(type="log", nice=False, padding=8), "axis": axis}


def layer_axis(grid: bool) -> alt.X:
    """The axis of layers, matrices of none last: rows have the label in `place` and its order in `order`."""
    order = alt.EncodingSortField("order", op="min", order="ascending")
    axis = alt.Axis(labelAngle=0, labelOverlap="greedy", grid=grid)
    return alt.X("place:O", title="layer (–: in none)", sort=order, axis=axis)


def _numbers(*fields: str) -> list[alt.Tooltip]:
    return [alt.Tooltip(f"{field}:Q", format=".4~g") for field in fields]


def finish(chart: alt.LayerChart, height: int = 225) -> Spec:
    """A chart as a specification, in the page's own colours."""
    spec: Spec = (
        chart.properties(width="container", height=height, background="transparent")
        # The numbers are in tables: to a screen reader a chart is one picture, and says so where it stands.
        .configure(font="sans-serif", aria=False)
        .configure_mark(aria=False)
        .configure_view(stroke=None)
        .configure_axis(
            labelColor="currentColor",
            titleColor="currentColor",
            gridColor="currentColor",
            gridOpacity=0.12,
            domainColor="currentColor",
            tickColor="currentColor",
            titleFontWeight="normal",
            labelFontSize=11,
            titleFontSize=12,
        )
        .configure_legend(labelColor="currentColor", labelFontSize=11)
        # Drawing checks the same schema: this check would be the second.
        .to_dict(validate=False)
    )
    return spec

"""The picture of the effective width over the steps of a run, with a known figure and its plateaus."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from wqscore.escaping import printable
from wqscore.rendering.html.charts import DASHES, finish, to_svg
from wqscore.rendering.html.palette import BLUE, SKY, VERMILLION
from wqscore.rendering.html.vega_lite import Spec, field, layer, mark
from wqscore.studies.track.plateaus import plateaus
from wqscore.studies.track.track import RunTrack

#: More pairs of layers have no room.
_MAX_PAIRS = 40


def condensation_chart(found: RunTrack) -> Markup | None:
    """Draw the picture; `None` where fewer than two steps have a width."""
    condensation = found.condensation
    if condensation is None or len(condensation.widths) < 2:
        return None
    widths, pairs = condensation.widths, condensation.pairs
    values = dict(sorted(found.figure.values.items())) if found.figure else {}
    data: dict[str, list[dict[str, object]]] = {
        "all": [{"step": step, "share": each.effective[0] / each.stored} for step, each in widths.items()],
        "pairs": [
            {"step": step, "pair": name, "share": float(share)}
            for step, shares in condensation.shares.items()
            for name, share in shares.items()
            if 1 < len(pairs) <= _MAX_PAIRS
        ],
        "known": [{"step": step, "value": value} for step, value in values.items()],
        "plateaus": [
            {"step": step, "value": value, "first": first}
            for first, last in plateaus(values)
            for step, value in values.items()
            if first <= step <= last
        ],
    }
    steps = [point.step for point in found.track.points]
    known = printable(found.figure.y)[:40] if found.figure else ""
    return Markup(to_svg(widths_over_steps(steps, found.unit, known), data))


def widths_over_steps(steps: Sequence[int], unit: str, known: str) -> Spec:
    """Effective over stored width over the steps, equally far apart, and a known figure on an axis of its own.

    Datasets: `all` (step, share), `pairs` (step, pair, share), `known` (step, value), `plateaus` (step, value, first:
    the plateau's first step).

    Args:
        steps: all steps, in order.
        unit: what they count.
        known: the title of the figure's axis; empty without one.
    """
    labels = {"labelAngle": 0, "labelOverlap": "greedy", "labelSeparation": 8, "grid": False, "format": ",d"}
    title = f"{unit}, checkpoints equally far apart"
    x = field("step:O", title=title, scale={"domain": list(steps)}, axis=labels)
    share = field("share:Q", title="effective over stored width", scale={"domain": [0, 1]})
    right = {"orient": "right", "grid": False}
    value = field("value:Q", title=known, scale={"zero": False, "nice": True}, axis=right)
    widths = [
        layer("pairs", mark("line", color=SKY, strokeWidth=1), x=x, y=share, detail=field("pair:N")),
        layer("all", mark("line", color=BLUE, strokeWidth=2), x=x, y=share),
        layer("all", mark("point", color=BLUE, filled=True, size=55, opacity=1), x=x, y=share),
    ]
    broad = mark("line", color=VERMILLION, strokeWidth=9, opacity=0.3)
    beside = [
        layer("plateaus", broad, x=x, y=value, detail=field("first:N")),
        layer("known", mark("line", color=VERMILLION, strokeWidth=2, strokeDash=DASHES), x=x, y=value),
    ]
    parts: list[Spec] = [{"layer": widths}, *([{"layer": beside}] if known else [])]
    return finish(parts) | {"resolve": {"scale": {"y": "independent"}}}

"""The chart of a metric over the steps of a training run: a line, its band of intervals, and the best step marked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import altair as alt
from markupsafe import Markup

from wqscore.ranking.precision import decimals_of
from wqscore.ranking.ranking import Ranking
from wqscore.ranking.steps import Trend
from wqscore.rendering.html.charts import Spec, finish, to_svg
from wqscore.rendering.html.palette import BLUE
from wqscore.rendering.numbers import ends, rounded


@dataclass(frozen=True)
class StepsSection:
    """A run's section of the page.

    Attributes:
        trend: the run.
        chart: a picture.
        rows: step, model, value and interval of each checkpoint, as text.
    """

    trend: Trend
    chart: Markup
    rows: tuple[tuple[str, ...], ...]


def steps_sections(ranking: Ranking) -> list[StepsSection]:
    """A section for each run of a ranking."""
    label = ranking.preset.label(ranking.by.name)
    return [_section(trend, label) for trend in ranking.trends]


def over_steps(label: str, unit: str) -> Spec:
    """A metric over steps, with its band.

    Dataset: `steps` (step, value, lo, hi, best; without an interval, `lo` and `hi` are the value).

    Args:
        label: the metric's name.
        unit: what steps count.
    """
    data = alt.NamedData(name="steps")
    axis = alt.Axis(grid=False, format=",d", labelOverlap="greedy")
    scale = alt.Scale(zero=False, nice=True)
    x = alt.X("step:Q", title=unit, scale=alt.Scale(zero=False, nice=False, padding=14), axis=axis)
    y = alt.Y("value:Q", title=label, scale=scale)
    base = alt.Chart(data).encode(x=x)
    band = base.mark_area(color=BLUE, opacity=0.22).encode(y=alt.Y("lo:Q", title=label, scale=scale), y2="hi:Q")
    line = base.mark_line(color=BLUE, strokeWidth=2).encode(y=y)
    points = base.mark_point(filled=True, size=55, color=BLUE, opacity=1).encode(y=y)
    best = base.transform_filter("datum.best").encode(y=y)
    ring = best.mark_point(size=300, strokeWidth=2, shape="circle", color="currentColor", fill=None)
    return finish(band + line + points + ring)


def _section(trend: Trend, label: str) -> StepsSection:
    data: list[Mapping[str, object]] = []
    rows, places = [], decimals_of(trend.models)
    for place, (step, model, value) in enumerate(zip(trend.steps, trend.models, trend.values, strict=True)):
        lo, hi = model.interval or (value, value)
        data.append({"step": step, "value": value, "lo": lo, "hi": hi, "best": place == trend.best})
        rows.append((str(step), model.ref.label, rounded(value, places), ends(model.interval, places=places)))
    return StepsSection(trend, Markup(to_svg(over_steps(label, trend.unit), {"steps": data})), tuple(rows))

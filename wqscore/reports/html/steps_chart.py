"""The chart of a metric over the steps of a training run: a line, its band of intervals, and the best step marked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup

from wqscore.ranking.precision import decimals_of
from wqscore.ranking.ranking import Ranking
from wqscore.ranking.steps import Trend
from wqscore.rendering.html import figures
from wqscore.rendering.html.charts import to_svg
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


def _section(trend: Trend, label: str) -> StepsSection:
    data: list[Mapping[str, object]] = []
    rows, places = [], decimals_of(trend.models)
    for place, (step, model, value) in enumerate(zip(trend.steps, trend.models, trend.values, strict=True)):
        lo, hi = model.interval or (value, value)
        data.append({"step": step, "value": value, "lo": lo, "hi": hi, "best": place == trend.best})
        rows.append((str(step), model.ref.label, rounded(value, places), ends(model.interval, places=places)))
    chart = to_svg(figures.over_steps(label, trend.unit, band=False), {"points": data})
    return StepsSection(trend, Markup(chart), tuple(rows))

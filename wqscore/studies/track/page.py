"""The HTML page of a run: what it comes to, its metrics drawn over the steps, and how they go with what is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from wqscore.escaping import printable
from wqscore.metrics.registry import METRICS
from wqscore.rendering.html import figures
from wqscore.rendering.html.charts import to_svg
from wqscore.rendering.html.page import environment, still_page
from wqscore.rendering.numbers import figure
from wqscore.studies.track.condensed import condensation_notes, width_words
from wqscore.studies.track.condensed_chart import condensation_chart
from wqscore.studies.track.known import WARNING
from wqscore.studies.track.notes import conclusion, run_notes, trap_count, warned
from wqscore.studies.track.report import rho_text
from wqscore.studies.track.track import RunTrack
from wqscore.studies.watching.documents import metrics_of, number_of
from wqscore.studies.watching.report import chart_points


def run_track_html(found: RunTrack) -> str:
    """Render a run as one self-contained HTML page, which fetches nothing and runs no code.

    Raises:
        UsageError: SOURCE_DATE_EPOCH is not a number of seconds.
    """
    return still_page(
        environment(__package__, figure=figure, rho=rho_text, printable=printable),
        "track.html.j2",
        found=found,
        run=found.track,
        first=[printable(line) for line in conclusion(found)],
        notes=[printable(note) for note in run_notes(found)],
        shown=_shown(found),
        steps=_steps(found),
        charts=_charts(found),
        condensed=[printable(line) for line in condensation_notes(found)],
        condensation=condensation_chart(found),
    )


def _shown(found: RunTrack) -> list[str]:
    """The metrics with a chart and a column: those that claim a direction."""
    return [name for name in metrics_of(found.track) if METRICS[name].claims]


def _steps(found: RunTrack) -> list[tuple[int, str, list[float | None], str, int | None, list[str]]]:
    """Step, model, the numbers, the reason, the count of traps and the effective width, of each step."""
    return [
        (
            point.step,
            model,
            [number_of(point.document or {}, name)[0] for name in _shown(found)],
            printable(point.reason),
            trap_count(point.document) if point.document else None,
            width_words(found.condensation, point.step),
        )
        for point, model in zip(found.track.points, found.models, strict=True)
    ]


def _charts(found: RunTrack) -> list[tuple[str, str, Markup]]:
    """Name, caption and picture of the known figure and of each metric."""
    charts = []
    if found.figure is not None and (values := found.figure.values):
        points = [{"step": step, "value": value, "lo": value, "hi": value} for step, value in sorted(values.items())]
        charts.append((found.figure.y, "what is known of the steps", _drawn(found.figure.y, found.unit, points)))
    for name in _shown(found):
        points = chart_points(found.track, name)
        turned = [turn for turn in found.turns if turn.metric == name]
        places = {turn.step for turn in turned}
        words = [f"{turn.turn.kind} at {found.unit} {turn.step}" for turn in turned]
        words += [WARNING] if name in warned(found) else []
        if len(points) > 1:
            marked = [point | {"best": point["step"] in places} for point in points]
            charts.append((name, "; ".join(words), _drawn(name, found.unit, marked)))
    return charts


def _drawn(name: str, unit: str, points: Sequence[Mapping[str, object]]) -> Markup:
    return Markup(to_svg(figures.over_steps(printable(name)[:40], unit, band=False), {"points": points}))

"""The page of one model: its scores, matrix by matrix, and its history, night by night."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from wqscore.leaderboards.events import event_between, what_changed
from wqscore.leaderboards.history import Point
from wqscore.leaderboards.pages.cells import ends, packed, site_environment, value
from wqscore.leaderboards.pages.charts import MAX_MARKS, alpha_by_depth, in_order, kinds_of, sparkline, verdict_bar
from wqscore.leaderboards.record import Figure, MatrixRecord
from wqscore.leaderboards.record_files import matrices_path, record_path
from wqscore.leaderboards.site import ListedState, Site
from wqscore.metrics.metric import Metric
from wqscore.metrics.registry import METRICS
from wqscore.rendering.html.palette import BLUE, SLATE

#: Bytes for the rows of the matrices; the rest is for the chart, the metrics and the history.
_ROWS = 50_000
#: Rows of the history's table.
_MAX_POINTS = 40


def model_page(site: Site, model: ListedState, frame: Mapping[str, Any]) -> str:
    """Render the page of a model; for one that was never scored it shows little more than the reason."""
    record = model.record
    scored: dict[str, Any] = {}
    if record is not None:
        rows = _matrix_rows(record.matrices)
        of_matrices = {name: count for name, count in record.verdicts.items() if name != "skipped"}
        alpha = record.figures.get("alpha")
        scored = {
            "headline": record.figures.get(site.by.name, Figure(None, None, 0)),
            "verdict_bar": verdict_bar(of_matrices),
            "verdicts": in_order(of_matrices),
            "skipped": record.verdicts.get("skipped", 0),
            "chart": alpha_by_depth(record.matrices, alpha.value if alpha else None),
            "line": alpha is not None and alpha.value is not None,
            "figures": {name: found for name, found in record.figures.items() if name in site.metrics},
            "kinds": kinds_of(record.matrices),
            "grouped": len(record.matrices) > MAX_MARKS,
            "better": {name: METRICS[name].better if name in METRICS else "" for name in record.figures},
            "rows": Markup().join(rows),
            "shown_matrices": len(rows),
            "known": site.known.values.get(model.name) if site.known else None,
            "csv": matrices_path(model.slug),
            "json": record_path(model.slug),
        }
    changes = [(after, _change(model.name, before, after, site.by.name)) for before, after in reversed(model.changes)]
    value, _ = badge_text(model, site.by)
    return (
        site_environment()
        .get_template("site_model.html.j2")
        .render(
            root="../",
            model=model,
            r=record,
            history=changes[:_MAX_POINTS],
            older=len(changes[_MAX_POINTS:]),
            sparkline=sparkline(_values(model.points, site.by.name), site.by.name),
            badge=f"wqscore {site.by.name}: {value}",
            snippet=_snippet(site, model),
            **scored,
            **frame,
        )
    )


def badge_text(model: ListedState, by: Metric) -> tuple[str, str]:
    """Return the text of a badge's right side, a number with its interval, and its colour."""
    record = model.record
    if record is None or by.name not in record.figures:
        return "not scored", SLATE
    found = record.figures[by.name]
    interval = f" ({ends(found, by.name)})" if found.interval else ""
    state = "" if model.status == "scored" else f" · {model.status}"
    return f"{value(found)}{interval}{state}", BLUE if model.status == "scored" else SLATE


def worth_a_look(matrices: Sequence[MatrixRecord]) -> list[MatrixRecord]:
    """Return matrices in the order to check them: those without a sound fit, then by alpha, highest first."""
    return sorted(matrices, key=lambda row: (row.verdict == "ok", -(row.alpha or 0.0)))


def _matrix_rows(matrices: Sequence[MatrixRecord]) -> list[str]:
    """All rows in the model's order, or, where they don't fit, as many as fit of those to check first."""
    macro: Any = site_environment().get_template("site_rows.html.j2").module
    rows = packed([macro.matrix_row(row) for row in matrices], _ROWS)
    if len(rows) == 1:
        return rows[0]
    return packed([macro.matrix_row(row) for row in worth_a_look(matrices)], _ROWS)[0]


def _values(points: Sequence[Point], by: str) -> list[float | None]:
    """The metric at each change of score."""
    scored = [point for point in points if point.values]
    kept = [point for i, point in enumerate(scored) if i == 0 or not point.scores_as(scored[i - 1])]
    return [point.values.get(by) for point in kept]


def _change(name: str, before: Point | None, after: Point, by: str) -> str:
    event = event_between(name, before, after, by)
    if event is not None:
        return event.text
    if before is not None and before.revision != after.revision:
        return what_changed(before, after, by) or "a commit that changed no score"
    return "other metrics are computed"


def _snippet(site: Site, model: ListedState) -> str:
    base = site.url.rstrip("/") or "SITE"
    return f"[![wqscore]({base}/badges/{model.slug}.svg)]({base}/models/{model.slug}.html)"

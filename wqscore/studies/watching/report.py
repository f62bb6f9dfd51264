"""A track as a table, in every format, and as a chart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from wqscore.errors import UsageError
from wqscore.presets.registry import find_preset
from wqscore.rendering.html import figures
from wqscore.rendering.numbers import Cell, figure
from wqscore.rendering.rows import Rows
from wqscore.rendering.sections import Medium, Notes, Section, Table
from wqscore.reports.plots.picture import Rows as ChartRows
from wqscore.reports.plots.picture import picture
from wqscore.reports.tables import has_interval_columns, has_summary
from wqscore.studies.watching.track import Track, TrackPoint
from wqscore.version import __version__

if TYPE_CHECKING:
    import altair as alt

_HEAD = ("step", "status", "reason", "stalled", "seconds")
_COUNTS = ("n_matrices", "n_fitted", "n_ok", "n_random")
_WORDS = frozenset({"status", "reason", "metric", "statistic"})
#: The statistics of a document, beside the one that ranks.
_STATISTICS = ("median", "mean", "param_mean", "count")


def track_rows(track: Track) -> Rows:
    """A row for each step, with the number that ranks and its interval for each metric."""
    metrics = _metrics(track)
    columns = [*_HEAD, "coverage", *_COUNTS]
    for name in metrics:
        columns += [name, *([f"{name}_interval_lo", f"{name}_interval_hi"] if has_interval_columns(name) else [])]
    rows: list[list[Cell]] = []
    for point in track.points:
        document = point.document or {}
        row: list[Cell] = [point.step, point.status, point.reason or None, point.stalled, point.seconds]
        row += [document.get(name) for name in ("coverage", *_COUNTS)]
        for name in metrics:
            row += _number(document, name)[: 3 if has_interval_columns(name) else 1]
        rows.append(row)
    return Rows(columns, rows, _WORDS, frozenset({"status"}), frozenset({"step", *_COUNTS}))


def track_tidy(track: Track) -> Rows:
    """A row for each statistic of each metric at each scored step."""
    rows: list[list[Cell]] = []
    for point in track.scored:
        document = point.document or {}
        for metric, found in document["summary"].items():
            for name in _STATISTICS:
                interval = found.get("interval") if name == document["preset"]["headline"] else None
                rows.append([point.step, metric, name, found[name], *(interval or (None, None))])
        rows += [
            [point.step, name, "value", found["value"], None, None]
            for name, found in document["model_metrics"].items()
        ]
    columns = ("step", "metric", "statistic", "value", "lo", "hi")
    return Rows(columns, rows, _WORDS, frozenset({"metric", "statistic"}), frozenset({"step"}))


def track_sections(track: Track, _: Medium) -> list[Section]:
    """A table of the steps with the metric that ranks, and why steps have no score."""
    columns = ["step", track.by, "95 % interval", "fitted", "ok", "status"]
    rows = [_shown(track, point) for point in track.points]
    reasons = [f"step {point.step}: {point.reason}" for point in track.points if point.status == "failed"]
    return [Table(f"{track.name} over its training", columns, rows), Notes(reasons)]


def track_document(track: Track) -> dict[str, Any]:
    """The points, each with its score's document."""
    points = [
        {name: getattr(point, name) for name in _HEAD} | {"score": point.document and dict(point.document)}
        for point in track.points
    ]
    return {"wqscore": __version__, "model": track.name, "by": track.by, "points": points}


def track_chart(track: Track, metric: str) -> alt.TopLevelMixin:
    """A metric over the steps, as `Track.plot` describes it."""
    points = []
    for point in track.scored:
        value, lo, hi = _number(point.document or {}, metric)
        if value is not None:
            points.append({"step": point.step, "value": value, "lo": value if lo is None else lo, "hi": hi or value})
    if not points:
        raise UsageError(
            f"{track.name}: no step has {metric!r}: it has {', '.join(_metrics(track)) or 'no score yet'}"
        )
    band = metric == "alpha"
    data: ChartRows = {"points": points, "band": [{"lo": 2, "hi": 6}] * band}
    note = "darker: 95 % interval over resampled layers" + "; lighter: 2 to 6, usual in trained layers" * band
    return picture(
        figures.over_steps(metric, "step", band), data, f"{metric} of {track.name} by step", [note]
    ).chart()


def headlines(document: Mapping[str, Any]) -> dict[str, list[float | None]]:
    """For each metric that tables of models have, the number that ranks and the ends of its interval.

    Args:
        document: a score's, as `TrackPoint` has it.
    """
    preset = find_preset(document["preset"]["name"])
    found = [*document["summary"], *document["model_metrics"]]
    return {name: _number(document, name) for name in found if has_summary(name, preset)}


def _metrics(track: Track) -> list[str]:
    """The metrics of `ranking.csv` that a point has, the one that ranks first."""
    names: dict[str, None] = {track.by: None} if track.scored else {}
    for point in track.scored:
        names |= dict.fromkeys(headlines(point.document or {}))
    return list(names)


def _number(document: Mapping[str, Any], metric: str) -> list[float | None]:
    """The number that ranks and the ends of its interval."""
    found = document.get("summary", {}).get(metric)
    if found is None:
        whole = document.get("model_metrics", {}).get(metric)
        return [whole["value"] if whole else None, None, None]
    value = found.get("total", found[document["preset"]["headline"]])
    return [value, *(found.get("interval") or (None, None))]


def _shown(track: Track, point: TrackPoint) -> list[str]:
    document = point.document or {}
    value, lo, hi = _number(document, track.by)
    interval = "–" if lo is None else f"{figure(lo)} to {figure(hi)}"
    fitted = f"{document['n_fitted']} of {document['n_matrices']}" if document else "–"
    return [str(point.step), figure(value), interval, fitted, str(document.get("n_ok", "–")), point.status]

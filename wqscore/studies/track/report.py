"""A run's metrics over its steps, in each format: a row for each step; a person sees what ranks, and what turns."""

from __future__ import annotations

from functools import partial
from typing import Any

from wqscore.fits.interval import Interval
from wqscore.metrics.registry import METRICS
from wqscore.rendering.numbers import MISSING, Cell, decimals, ends, figure, number
from wqscore.rendering.rows import Rows
from wqscore.rendering.sections import Answer, Drawing, Medium, Notes, Section, Table
from wqscore.reports.steps import Line, draw_line
from wqscore.reports.tables import has_interval_columns
from wqscore.studies.heads import document_head
from wqscore.studies.track.condensed import (
    condensation_notes,
    condensation_sections,
    run_keys,
    width_cells,
    width_columns,
    width_keys,
    width_words,
)
from wqscore.studies.track.known import WARNING
from wqscore.studies.track.notes import conclusion, run_notes, trap_count, warned
from wqscore.studies.track.track import RunTrack
from wqscore.studies.watching.documents import metrics_of, number_of

_HEAD = ("step", "model", "revision", "n_fitted", "coverage")
_WORDS = frozenset({"model", "revision", "reason", "warning"})
#: As many of the metrics that turn are drawn with characters; the page has all.
_DRAWN = 2
_COUNTS = frozenset({"step", "n_fitted", "n_random", "n_trap"})
#: Metrics that a person sees in the table beside the one that ranks.
_SHOWN = ("log_norm", "log_spectral_norm", "stable_rank")


def run_track_rows(found: RunTrack) -> Rows:
    """A row for each step; `warning` names the metrics that go another way than declared, the same in every row."""
    names = metrics_of(found.track)
    columns = [*_HEAD, "n_random", "n_trap"]
    for name in names:
        columns += [name, *([f"{name}_interval_lo", f"{name}_interval_hi"] if has_interval_columns(name) else [])]
    widths = width_columns(found.condensation)
    columns += widths
    figures: list[str] = []
    if found.figure is not None:
        figures = [found.figure.y if found.figure.y not in {*columns, *_WORDS} else f"known_{found.figure.y}"]
    warning = f"{', '.join(warned(found))}: {WARNING}" if warned(found) else None
    rows: list[list[Cell]] = []
    for each, point in zip(_steps(found), found.track.points, strict=True):
        document = point.document or {}
        row: list[Cell] = [each[name] for name in _HEAD]
        row += [document.get("n_random"), trap_count(document) if document else None]
        for name in names:
            row += number_of(document, name)[: 3 if has_interval_columns(name) else 1]
        row += width_cells(found.condensation, point.step)
        row += [found.figure.values.get(point.step)] if found.figure else []
        rows.append([*row, each["reason"], warning])
    columns += [*figures, "reason", "warning"]
    return Rows(columns, rows, _WORDS, counts=_COUNTS.union(widths))


def run_track_document(found: RunTrack) -> dict[str, Any]:
    """The JSON document; undefined values are `null`."""
    names = metrics_of(found.track)
    steps = [
        each
        | {name: number_of(point.document or {}, name)[0] for name in names}
        | width_keys(found.condensation, point.step)
        for each, point in zip(_steps(found), found.track.points, strict=True)
    ]
    figure_of = found.figure
    return {
        **document_head(found.seed),
        "model": found.track.name,
        "by": found.track.by,
        "unit": found.unit,
        "steps": steps,
        "turning_points": [
            {
                "metric": each.metric,
                "step": each.step,
                "low": each.low,
                "high": each.high,
                "kind": each.turn.kind,
                "size": number(each.turn.size),
                "interval_width": number(each.turn.width),
            }
            for each in found.turns
        ],
        "known": [
            {
                "x": each.x,
                "spearman": each.spearman,
                "low": each.interval.lo if each.interval else None,
                "high": each.interval.hi if each.interval else None,
                "n": each.n,
                "declared": each.declared,
                "warning": each.warning or None,
            }
            for each in found.known
        ],
        "y": figure_of and figure_of.y,
        "better": figure_of and figure_of.better,
        **run_keys(found),
        "notes": [*conclusion(found), *run_notes(found), *condensation_notes(found)],
    }


def known_rows(found: RunTrack) -> Rows:
    """A row for each metric: how it goes along with the known figure."""
    rows: list[list[Cell]] = [
        [
            *(each.x, each.spearman, *(each.interval or (None, None))),
            *(each.n, each.declared, each.warning or None),
        ]
        for each in found.known
    ]
    columns = ("x", "spearman", "low", "high", "n", "declared", "warning")
    return Rows(columns, rows, frozenset({"x", "declared", "warning"}), counts=frozenset({"n"}))


def run_track_sections(found: RunTrack, _: Medium) -> list[Section]:
    """The steps, the metric that ranks drawn over them, the correlations, the notes, and what it comes to."""
    known: list[Section] = [_known_table(found)] if found.known else []
    drawings = [*_drawings(found), *condensation_sections(found)]
    return [_step_table(found), *drawings, *known, Notes(run_notes(found)), Answer(conclusion(found))]


def line_of(found: RunTrack, metric: str) -> Line | None:
    """A metric over the steps, ready to be drawn; `None` without two steps."""
    numbers = [(point.step, number_of(point.document or {}, metric)) for point in found.track.scored]
    known = [(step, value, lo, hi) for step, (value, lo, hi) in numbers if value is not None]
    if len(known) < 2:
        return None
    steps, values = tuple(each[0] for each in known), tuple(each[1] for each in known)
    intervals = tuple(None if lo is None or hi is None else Interval(lo, hi) for _, _, lo, hi in known)
    widths = [each.hi - each.lo for each in intervals if each]
    turned = next((steps.index(turn.step) for turn in found.turns if turn.metric == metric), None)
    best = values.index((min if METRICS[metric].better == "lower" else max)(values))
    return Line(
        steps, values, intervals, best if turned is None else turned, decimals(max(widths)) if widths else None
    )


def rho_text(value: float | None) -> str:
    """A correlation as a person reads it; a dash if it is missing."""
    return MISSING if value is None else f"{value:+.2f}"


def _steps(found: RunTrack) -> list[dict[str, Any]]:
    """What every format has of the steps, without their metrics."""
    return [
        {
            "step": point.step,
            "model": model,
            "revision": (point.document or {}).get("revision"),
            "n_fitted": (point.document or {}).get("n_fitted"),
            "coverage": (point.document or {}).get("coverage"),
            "reason": point.reason or None,
        }
        for point, model in zip(found.track.points, found.models, strict=True)
    ]


def _step_table(found: RunTrack) -> Table:
    by = found.track.by
    others = [name for name in _SHOWN if name in metrics_of(found.track) and name != by]
    figures = [found.figure.y] if found.figure else []
    widths = ["effective width"] if found.condensation else []
    columns = [found.unit, by, "95 % interval", *others, *widths, *figures, "fitted", "traps"]
    rows = []
    for point in found.track.points:
        document = point.document or {}
        value, lo, hi = number_of(document, by)
        interval = Interval(lo, hi) if lo is not None and hi is not None else None
        fitted = f"{document['n_fitted']} of {document['n_matrices']}" if document else MISSING
        known = [figure(found.figure.values.get(point.step))] if found.figure else []
        rows.append(
            [
                *(str(point.step), figure(value), ends(interval)),
                *(figure(number_of(document, name)[0]) for name in others),
                *width_words(found.condensation, point.step),
                *known,
                *(fitted, str(trap_count(document)) if document else MISSING),
            ]
        )
    title = f"{found.track.name} over its {found.unit}s"
    return Table(title, columns, rows, right=columns, optional=others, markdown_title="above")


def _known_table(found: RunTrack) -> Table:
    assert found.figure is not None, "correlations are with a figure"
    columns = ["metric", "rho", "95 % interval", "n", "declared better", "warning"]
    rows = [
        [
            *(each.x, rho_text(each.spearman)),
            MISSING if each.interval is None else " to ".join(map(rho_text, each.interval)),
            *(str(each.n), each.declared or MISSING, each.warning),
        ]
        for each in found.known
    ]
    title = f"Spearman's rho with {found.figure.y} over the {found.unit}s"
    return Table(title, columns, rows, folding=["warning"], right=columns[1:4], markdown_title="above")


def _drawings(found: RunTrack) -> list[Section]:
    """The metric that ranks, and the first of those that turn, drawn with characters."""
    turned = dict.fromkeys(turn.metric for turn in found.turns if METRICS[turn.metric].claims)
    names = dict.fromkeys([found.track.by, *list(turned)[:_DRAWN]])
    lines = {name: line for name in names if (line := line_of(found, name)) is not None}
    return [
        Drawing(f"{name} over the {found.unit}s{_what_lines_are(line)}", partial(draw_line, line), [])
        for name, line in lines.items()
    ]


def _what_lines_are(line: Line) -> str:
    return "; lines are 95 % intervals over layers" if any(line.intervals) else ""

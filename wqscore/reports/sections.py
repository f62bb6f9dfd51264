"""The tables and notes of a ranking or a score that a person reads, in the order of each medium."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from wqscore.ranking.precision import decimals_of
from wqscore.ranking.ranking import Ranking, rank_alone
from wqscore.ranking.reading import BESIDE
from wqscore.ranking.short_names import short_names
from wqscore.rendering.numbers import four_digits
from wqscore.rendering.sections import Answer, Medium, Notes, Section, Table
from wqscore.reports.intervals import has_intervals
from wqscore.reports.narrow import BARS, narrow_ranking, ranking_bars, scale_note
from wqscore.reports.overview import (
    VALUE_COLUMNS,
    family_notes,
    layer_overview_columns,
    layer_overview_rows,
    made_by,
    ranking_overview_columns,
    ranking_overview_rows,
    ranking_title,
    remarks,
    role_overview,
    score_notes,
    summary_overview_columns,
    summary_overview_rows,
    usual_range,
    value_overview_rows,
)
from wqscore.reports.steps import trend_drawings
from wqscore.reports.trust import pair_notes, trust_notes, warning_notes
from wqscore.reports.worth_checking import LOOK_COLUMNS, worth_checking, worth_checking_rows
from wqscore.scoring.model_score import ModelScore

#: At most so many matrices worth looking at are shown.
_MAX_LOOKS = 8
#: Columns of one model's matrices that a narrow terminal drops first, and those that it drops last.
_DROPPED_FIRST = ("log_spectral_norm", "log_norm", "stable_rank", "role", "n_tail", "p_value")
_DROPPED_LAST = ("flags", "alpha_hi", "alpha_lo", "D", "shape")


def ranking_sections(ranking: Ranking, medium: Medium) -> list[Section]:
    """The ranking's answer, itself, how far to trust it, and why models have no rank; only a terminal gets bars."""
    table = _bars_table(ranking) if medium == "table" else _ranking_table(ranking)
    doubts = {"table": pair_notes, "md": trust_notes}
    doubted = doubts[medium](ranking) if medium in doubts else []
    told = ranking.conclusion.text if medium == "table" else ""
    # Once is enough: in a terminal the conclusion follows at once.
    others = [line for line in remarks(ranking) if not told or line.split(": ", 2)[-1].rstrip(".") not in told]
    notes = Notes([*warning_notes(ranking), *family_notes(ranking), *doubted, *others])
    answer = Answer(ranking.conclusion.lines)
    drawn = trend_drawings(ranking)
    return [table, *drawn, notes, answer] if medium == "table" else [answer, table, *drawn, notes]


def score_sections(score: ModelScore, medium: Medium) -> list[Section]:
    """One model's matrices, those worth looking at, its summary, and which tensors were skipped and why."""
    tables = [make(score, medium) for make in _SCORE_TABLES[medium]]
    return [*filter(None, tables), Notes([*warning_notes(rank_alone(score)), *score_notes(score)])]


def _ranking_table(ranking: Ranking) -> Table:
    columns, rows = ranking_overview_columns(ranking), _rows(ranking)
    return Table(ranking_title(ranking), columns, rows, markdown_title="above")


def _rows(ranking: Ranking) -> list[list[str]]:
    """The rows of a ranking; a metric whose intervals ask for no decimals has four digits in every number."""
    columns, rows = ranking_overview_columns(ranking), ranking_overview_rows(ranking)
    if decimals_of(ranking.models) is not None:
        return rows
    for row in rows:
        for place in range(2, columns.index("range")):
            row[place] = " to ".join(map(four_digits, row[place].split(" to ")))
    return rows


def _bars_table(ranking: Ranking) -> Table:
    """The ranking with each model's interval as a bar; a list of lines if a table does not fit.

    Models are named without the folders that all of them share.
    """
    columns, rows = ranking_overview_columns(ranking), _rows(ranking)
    for row, name in zip(rows, short_names([model.ref for model in ranking.models]), strict=True):
        row[1] = name
    drawn = has_intervals(ranking)
    optional = ["depth", *columns[4 if drawn else 3 : columns.index("range")], "params", "fitted", "ok"]
    optional += ["coverage"]
    if drawn:
        columns.insert(4, BARS)
        for row, cell in zip(rows, ranking_bars(ranking), strict=True):
            row.insert(4, cell)
        optional += [BARS, "interval"]
    optional += ["ties", "range"]
    # A number that is read as no sign of quality keeps what stands beside it.
    optional.sort(key=lambda name: name == BESIDE)
    if len(ranking.families) < 2:
        optional.insert(0, "family")
    return Table(
        ranking_title(ranking),
        columns,
        rows,
        folding=["model"],
        optional=optional,
        # A model without a score has its status in place of its number.
        right=["ties", columns[2]],
        column_notes={BARS: scale_note(ranking)},
        narrow=partial(narrow_ranking, ranking),
        essential=["interval", "ties", "range"],
        subtitle=usual_range(ranking),
    )


def _layers(score: ModelScore, _: Medium) -> Table:
    columns = layer_overview_columns(score)
    others = [name for name in reversed(columns[4:-2]) if name not in {*_DROPPED_FIRST, *_DROPPED_LAST}]
    optional = [name for name in (*_DROPPED_FIRST, *others, *_DROPPED_LAST) if name in columns and name != columns[3]]
    return Table(score.ref.label, columns, layer_overview_rows(score), folding=["name"], optional=optional)


def _looks(score: ModelScore, _: Medium) -> Table | None:
    looks = worth_checking(score)
    if not looks:
        return None
    first = worth_checking_rows(looks[:_MAX_LOOKS])
    more = f", and {len(looks) - len(first)} more" if len(looks) > len(first) else ""
    title = f"worth looking at first: {len(first)} of {len(score.layers)} matrices{more}"
    return Table(title, LOOK_COLUMNS, first, folding=["why", "matrix"])


def _summary(score: ModelScore, medium: Medium) -> Table | None:
    if medium == "table" and not any(statistic.count for statistic in score.summary.statistics.values()):
        return None
    what = "over matrices" if medium == "table" else score.ref.label
    title = f"{what} · {made_by(score.preset, [score])}"
    columns, rows = summary_overview_columns(score), summary_overview_rows(score)
    return Table(title, columns, rows, optional=["by size", "matrices", columns[3], "95 % interval"])


def _roles(score: ModelScore, medium: Medium) -> Table | None:
    columns, rows = role_overview(score)
    if len(rows) < 2 or not columns[4].removeprefix("median "):
        return None
    title = "over the matrices of each role; those in brackets are in no average"
    return Table(title, columns, rows, optional=["fitted", "lowest", "highest", "matrices"])


def _values(score: ModelScore, _: Medium) -> Table | None:
    rows = value_overview_rows(score)
    return Table("over the whole model", VALUE_COLUMNS, rows, optional=["matrices"]) if rows else None


_SCORE_TABLES: Mapping[Medium, tuple[Callable[[ModelScore, Medium], Table | None], ...]] = {
    "table": (_layers, _looks, _roles, _summary, _values),
    "md": (_summary, _values, _roles, _layers),
    "notebook": (_summary, _values, _roles, _looks),
}

"""Find a ranking's models in a table of published results, before they are scored."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import StringIO

import numpy as np

from wqscore.errors import UsageError
from wqscore.escaping import listed
from wqscore.refs.reference import ModelRef
from wqscore.rendering.csv_escaping import unescape_formula
from wqscore.studies.correlation.columns import known_columns
from wqscore.studies.correlation.row import MIN_MODELS
from wqscore.studies.known.score_table import LISTED, ScoreTable, check_once


@dataclass(frozen=True)
class KnownFigures:
    """A table of published results, and the column to compare the metrics with.

    Attributes:
        table: the table, with models named as in the ranking.
        y: the column.
    """

    table: ScoreTable
    y: str


def choose_known(table: ScoreTable, refs: Sequence[ModelRef], y: str | None) -> KnownFigures:
    """Find the models of a ranking in a table, and the column to compare the metrics with.

    Args:
        table: a table with a column `model`: names as in a ranking.csv, as typed, or of repositories.
        refs: the models to rank.
        y: the column; may be `None` if only one column has numbers.

    Raises:
        UsageError: the column is missing or ambiguous, a model is in two rows, or too few models have a figure.
    """
    named = _named_as_ranked(table, refs)
    labels = {ref.label for ref in refs}
    ranked = ScoreTable(
        table.source, table.columns, tuple(row for row, name in _rows_with_names(named) if name in labels)
    )
    check_once(named.words("model"), table.source)
    counts = {name: int(np.isfinite(ranked.numbers(name)).sum()) for name in known_columns(ranked, ())}
    choices = listed([f"{name} ({_models(count)})" for name, count in counts.items()], LISTED) or "none of numbers"
    if y is not None and y not in table.columns:
        raise UsageError(f"{table.source}: no column {y!r}: choose one of these with --y: {choices}")
    if y is None and len(counts) > 1:
        raise UsageError(f"{table.source}: choose a column to compare the metrics with, by --y: {choices}")
    chosen = y or next(iter(counts), None)
    if chosen is None:
        raise UsageError(f"{table.source}: no figure for any model to rank: name the models as the ranking does")
    known = int(np.isfinite(ranked.numbers(chosen)).sum())
    if known < MIN_MODELS:
        raise UsageError(
            f"{table.source}: {chosen!r} has figures for {known} of the {len(labels)} models to rank, fewer than the "
            f"{MIN_MODELS} needed: add models, named as in the ranking"
        )
    return KnownFigures(named, chosen)


def parse_ranking(text: str) -> ScoreTable:
    """Return a ranking.csv's text as a table."""
    header, *rows = (list(map(unescape_formula, line)) for line in csv.reader(StringIO(text, newline="")))
    return ScoreTable("the ranking", tuple(header), tuple(map(tuple, rows)))


def _named_as_ranked(table: ScoreTable, refs: Sequence[ModelRef]) -> ScoreTable:
    """The table with names as typed, or of repositories, replaced by those of the ranking."""
    others = {name: ref.label for ref in reversed(refs) for name in (ref.repo, ref.text) if name}
    labels = others | {ref.label: ref.label for ref in refs}
    index = table.columns.index("model") if table.words("model") else 0
    rows = tuple((*row[:index], labels.get(name, name), *row[index + 1 :]) for row, name in _rows_with_names(table))
    return ScoreTable(table.source, table.columns, rows)


def _rows_with_names(table: ScoreTable) -> Iterable[tuple[tuple[str, ...], str]]:
    return zip(table.rows, table.words("model"), strict=True)


def _models(count: int) -> str:
    return f"{count} model{'' if count == 1 else 's'}"

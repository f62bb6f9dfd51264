"""What is known of the models of a ranking, looked at before they are scored: can it be compared at all?"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import StringIO

import numpy as np

from wqscore.errors import UsageError
from wqscore.escaping import listed
from wqscore.refs import ModelRef
from wqscore.rendering.csv_escaping import unguarded
from wqscore.studies.correlation.columns import known_columns
from wqscore.studies.correlation.row import LEAST_MODELS
from wqscore.studies.known.score_table import LISTED, ScoreTable


@dataclass(frozen=True)
class KnownFigures:
    """A table that has the models of a ranking, and the column to compare the metrics with.

    Attributes:
        table: its models are named as in the ranking.
        y: the column.
    """

    table: ScoreTable
    y: str


def choose_known(table: ScoreTable, refs: Sequence[ModelRef], y: str | None) -> KnownFigures:
    """Find the models of a ranking in a table, and the column to compare the metrics with.

    Args:
        table: with a column `model`: names as in a ranking.csv, or as typed, or the repository's.
        refs: the models to be ranked.
        y: the column; may be left out if there is only one of numbers.

    Raises:
        UsageError: no such column or several, a model in two rows, or too few models with a figure.
    """
    named = _named_as_ranked(table, refs)
    labels = {ref.label for ref in refs}
    ranked = ScoreTable(
        table.source, table.columns, tuple(row for row, name in _rows_with_names(named) if name in labels)
    )
    doubled = [name for name, times in Counter(named.words("model")).items() if times > 1]
    if doubled:
        raise UsageError(f"{table.source}: {doubled[0]!r} is in several rows: leave one")
    counts = {name: int(np.isfinite(ranked.numbers(name)).sum()) for name in known_columns(ranked, ())}
    told = listed([f"{name} ({_models(count)})" for name, count in counts.items()], LISTED) or "none of numbers"
    if y is not None and y not in table.columns:
        raise UsageError(f"{table.source}: no column {y!r}: choose by --y one of these: {told}")
    if y is None and len(counts) > 1:
        raise UsageError(f"{table.source}: choose what to compare the metrics with by --y, one of these: {told}")
    chosen = y or next(iter(counts), None)
    if chosen is None:
        raise UsageError(f"{table.source}: no figure of the models to rank: name them there as the ranking does")
    known = int(np.isfinite(ranked.numbers(chosen)).sum())
    if known < LEAST_MODELS:
        raise UsageError(
            f"{table.source}: {chosen!r} is known of {known} of the {len(labels)} models to rank, and {LEAST_MODELS} "
            "are the least: add others, named as the ranking names them"
        )
    return KnownFigures(named, chosen)


def parse_ranking(text: str) -> ScoreTable:
    """The text of a ranking.csv as a table."""
    header, *rows = (list(map(unguarded, line)) for line in csv.reader(StringIO(text, newline="")))
    return ScoreTable("the ranking", tuple(header), tuple(map(tuple, rows)))


def _named_as_ranked(table: ScoreTable, refs: Sequence[ModelRef]) -> ScoreTable:
    """The table with the ranking's name in place of what was typed or the repository's."""
    others = {name: ref.label for ref in reversed(refs) for name in (ref.repo, ref.text) if name}
    labels = others | {ref.label: ref.label for ref in refs}
    place = table.columns.index("model") if table.words("model") else 0
    rows = tuple((*row[:place], labels.get(name, name), *row[place + 1 :]) for row, name in _rows_with_names(table))
    return ScoreTable(table.source, table.columns, rows)


def _rows_with_names(table: ScoreTable) -> Iterable[tuple[tuple[str, ...], str]]:
    return zip(table.rows, table.words("model"), strict=True)


def _models(count: int) -> str:
    return f"{count} model{'' if count == 1 else 's'}"

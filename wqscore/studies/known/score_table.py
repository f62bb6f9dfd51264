"""Tables of models: read a CSV file, get a column as text or numbers, and join two tables by model."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import StringIO
from math import isinf, nan
from pathlib import Path

import numpy as np

from wqscore.errors import UsageError, read_small
from wqscore.escaping import listed
from wqscore.rendering.csv_escaping import unescape_formula

#: Statuses in a ranking.csv of models without a rank.
_WITHOUT_RANK = frozenset({"unranked", "failed"})
_BLANK = frozenset({"", "nan", "na", "n/a", "none", "null", "-", "–"})
#: At most this many names are listed in a message.
LISTED = 12


@dataclass(frozen=True)
class ScoreTable:
    """A table of models.

    Attributes:
        source: the file, for messages.
        columns: the columns' names, each once.
        rows: the cells of each row, one per column.
    """

    source: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def words(self, column: str) -> list[str]:
        """Return the cells of a column as text.

        Raises:
            UsageError: there is no such column.
        """
        if column not in self.columns:
            raise UsageError(f"{self.source}: no column {column!r}; it has {listed(self.columns, LISTED)}")
        index = self.columns.index(column)
        return [row[index].strip() for row in self.rows]

    def numbers(self, column: str) -> np.ndarray:
        """Return the cells of a column as numbers, NaN where one is empty.

        Raises:
            UsageError: there is no such column, or a cell is not a number.
        """
        return np.array([self._number(column, row, cell) for row, cell in enumerate(self.words(column), 1)])

    def _number(self, column: str, row: int, cell: str) -> float:
        if cell.lower() in _BLANK:
            return nan
        try:
            value = float(cell)
        except ValueError:
            value = float("inf")
        if isinf(value):
            raise UsageError(
                f"{self.source}: column {column!r} is not numbers: {cell[:40]!r} in row {row}: name another column, "
                "or leave the cell empty"
            )
        return value


@dataclass(frozen=True)
class Joined:
    """Rows of the same models from two tables.

    Attributes:
        scores: the joined rows of the first table.
        known: those of the second, in the same order.
        only_in_scores: models that only the first table has.
        only_in_known: models that only the second table has.
        without_rank: models in both tables that are left out because a ranking.csv gives them no rank.
    """

    scores: ScoreTable
    known: ScoreTable
    only_in_scores: tuple[str, ...] = ()
    only_in_known: tuple[str, ...] = ()
    without_rank: tuple[str, ...] = ()

    def holding(self, column: str) -> ScoreTable:
        """Return the table that has a column; the first if both have it."""
        return self.scores if column in self.scores.columns or column not in self.known.columns else self.known


def read_table(path: Path) -> ScoreTable:
    """Read a CSV file with a header.

    Raises:
        UsageError: it can't be read, or is not a CSV file with a header.
    """
    try:
        text = StringIO(read_small(path).decode("utf-8-sig"), newline="")
        lines = [list(map(unescape_formula, line)) for line in csv.reader(text) if line]
    except OSError as error:
        raise UsageError(f"{path}: can't be read: {error.strerror or error}") from error
    except (csv.Error, ValueError) as error:
        raise UsageError(f"{path}: not a CSV file in UTF-8: {error}") from error
    if len(lines) < 2:
        raise UsageError(f"{path}: a header and a row per model are needed, it has {len(lines)} lines")
    header, *rows = lines
    doubled = [name for name, times in Counter(header).items() if times > 1]
    if doubled:
        raise UsageError(f"{path}: column {doubled[0]!r} occurs twice: rename one")
    for number, row in enumerate(rows, 1):
        if len(row) != len(header):
            raise UsageError(f"{path}: row {number} has {len(row)} cells, the header {len(header)}: correct that row")
    return ScoreTable(str(path), tuple(header), tuple(map(tuple, rows)))


def check_once(names: Iterable[str], source: str) -> None:
    """Refuse a table that has a model in several rows.

    Raises:
        UsageError: a name occurs twice.
    """
    doubled = next((name for name, times in Counter(names).items() if times > 1), None)
    if doubled is not None:
        raise UsageError(f"{source}: {doubled!r} is in several rows: leave one")


def join(scores: ScoreTable, known: ScoreTable, key: Sequence[str]) -> Joined:
    """Join two tables on the columns that name a model, compared as text.

    Raises:
        UsageError: a table lacks these columns or has a model twice, or no model is in both tables.
    """
    ours, theirs = _index(scores, key), _index(known, key)
    both = [name for name in ours if name in theirs]
    if not both:
        raise UsageError(
            f"no model is in both {scores.source} ({listed(_labels(ours), 3)}) and {known.source} "
            f"({listed(_labels(theirs), 3)}): name the column that identifies a model with --key"
        )
    joined = Joined(
        _take(scores, [ours[name] for name in both]),
        _take(known, [theirs[name] for name in both]),
        tuple(_labels(name for name in ours if name not in theirs)),
        tuple(_labels(name for name in theirs if name not in ours)),
    )
    return _ranked_only(joined, _labels(both))


def single_table(table: ScoreTable, key: Sequence[str]) -> Joined:
    """Return one table that has both the scores and the published results as joined; its models need no names."""
    named = all(column in table.columns for column in key)
    names = zip(*map(table.words, key), strict=True) if named else ((f"row {i + 1}",) for i in range(len(table.rows)))
    return _ranked_only(Joined(table, table), _labels(names))


def _index(table: ScoreTable, key: Sequence[str]) -> dict[tuple[str, ...], int]:
    names = list(zip(*map(table.words, key), strict=True))
    doubled = [name for name, times in Counter(names).items() if times > 1]
    if doubled:
        raise UsageError(
            f"{table.source}: {_labels(doubled)[0]!r} is in {names.count(doubled[0])} rows: name columns "
            "that identify a row with --key"
        )
    return {name: index for index, name in enumerate(names)}


def _labels(names: Iterable[tuple[str, ...]]) -> list[str]:
    return [" ".join(name) for name in names]


def _take(table: ScoreTable, indices: Sequence[int]) -> ScoreTable:
    return ScoreTable(table.source, table.columns, tuple(table.rows[index] for index in indices))


def _ranked_only(joined: Joined, labels: Sequence[str]) -> Joined:
    """Leave out models without a rank, whose metrics describe too little of the model, or noise."""
    if "status" not in joined.scores.columns:
        return joined
    status = joined.scores.words("status")
    ranked = [index for index, word in enumerate(status) if word not in _WITHOUT_RANK]
    return Joined(
        _take(joined.scores, ranked),
        _take(joined.known, ranked),
        joined.only_in_scores,
        joined.only_in_known,
        tuple(label for label, word in zip(labels, status, strict=True) if word in _WITHOUT_RANK),
    )

"""CSV text."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from io import StringIO

from wqscore.rendering.csv_escaping import escape_formula
from wqscore.rendering.numbers import Cell
from wqscore.rendering.rows import Rows


def rows_csv(found: Rows) -> str:
    """A flat table as CSV text."""
    return csv_text(found.columns, found.rows)


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """Rows as CSV text with a header and Unix line ends; missing values are empty, formulas are escaped."""
    text = StringIO(newline="")
    # The writer quotes cells with a character of its line end; with \r and \n, every reader sees the same lines.
    writer = csv.writer(_UnixLines(text), lineterminator="\r\n")
    writer.writerow(map(escape_formula, columns))
    # A float is written in its shortest form that reads back as the same float.
    writer.writerows([escape_formula(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    return text.getvalue()


class _UnixLines:
    """File of the CSV writer that ends each line with a line feed alone."""

    def __init__(self, text: StringIO) -> None:
        self._text = text

    def write(self, line: str) -> None:
        """Write one line."""
        self._text.write(line.removesuffix("\r\n") + "\n")

"""Take a table as a caller passes it: a ranking, benchmark results, a data frame or the path of a CSV file."""

from __future__ import annotations

import csv
import os
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from wqscore.errors import UsageError
from wqscore.ranking.ranking import Ranking
from wqscore.rendering.csv_escaping import unescape_formula
from wqscore.studies.known.benchmarks import BenchmarkTable
from wqscore.studies.known.known import parse_ranking
from wqscore.studies.known.score_table import ScoreTable, read_table

if TYPE_CHECKING:
    import pandas as pd

    Given = Ranking | BenchmarkTable | pd.DataFrame | str | os.PathLike[str]


def given_table(given: Given, source: str) -> ScoreTable:
    """A table of what a caller passes.

    Args:
        given: the table.
        source: what messages call it where it has no path.

    Raises:
        UsageError: a file that can't be read, or a column that occurs twice.
        TypeError: it is no table.
    """
    if isinstance(given, Ranking):
        return parse_ranking(given.to_csv())
    if isinstance(given, BenchmarkTable):
        return given.as_table()
    if isinstance(given, str | os.PathLike):
        return read_table(Path(given))
    if hasattr(given, "to_csv"):
        header, *rows = csv.reader(StringIO(given.to_csv(index=False), newline=""))
        if len(set(header)) < len(header):
            raise UsageError(f"{source}: a column occurs twice: rename one")
        return ScoreTable(source, tuple(header), tuple(tuple(map(unescape_formula, row)) for row in rows))
    raise TypeError(f"{source}: pass a ranking, a data frame or the path of a CSV file, not {type(given).__name__}")

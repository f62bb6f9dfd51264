"""A flat table as a pandas data frame."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from wqscore.rendering.numbers import Cell
from wqscore.rendering.rows import Rows


def rows_frame(found: Rows) -> pd.DataFrame:
    """The rows as a data frame; the type of a column does not depend on which values are missing.

    Numbers are float64 with NaN where one is missing; whole numbers int64, or Int64 where one is missing; text is
    `str` or a category.
    """
    series = {
        column: _series(column, [row[index] for row in found.rows], found)
        for index, column in enumerate(found.columns)
    }
    return pd.DataFrame(series, columns=list(found.columns))


def _series(column: str, cells: Sequence[Cell], found: Rows) -> pd.Series:
    if column in found.categories:
        return pd.Series(cells, dtype="category")
    if column in found.words:
        return pd.Series(cells, dtype=object)
    if column in found.counts and all(cell is None or float(cell).is_integer() for cell in cells):
        return pd.Series(cells, dtype="Int64" if None in cells else "int64")
    return pd.Series(cells, dtype="float64")

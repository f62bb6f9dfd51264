"""A flat table of values, for files that machines read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wqscore.rendering.numbers import Cell


@dataclass(frozen=True)
class Rows:
    """A flat table.

    Attributes:
        columns: the header.
        rows: the cells of each row; `None` where there is no value.
        words: the columns of text; all others hold numbers, even if every value is missing.
        categories: the columns of text with few different values.
        counts: the columns of whole numbers.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    words: frozenset[str]
    categories: frozenset[str] = frozenset()
    counts: frozenset[str] = frozenset()

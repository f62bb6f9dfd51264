"""The tables and notes of a result that a person reads, independent of the medium."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

#: Where sections are shown: a terminal (`table`), Markdown, or a notebook.
Medium = Literal["table", "md", "notebook"]
#: The most characters on a line of a drawing.
MAX_DRAWING = 100


@dataclass(frozen=True)
class Table:
    """A table of text.

    Attributes:
        title: its caption.
        columns: the headers.
        rows: the cells, one line each.
        folding: columns of names, which a narrow terminal may fold.
        optional: columns that a narrow terminal may drop, the first one first.
        right: columns of text that are aligned to the right, as numbers are.
        column_notes: lines under the table about a column, dropped with it; only a terminal shows them.
        narrow: given the width of a narrow terminal, returns the lines to show in place of the table.
        essential: columns that a terminal of fewer than 100 characters doesn't drop while there is `narrow`.
        subtitle: a line under the title; empty for none.
        markdown_title: where the title goes in Markdown, whose tables have no captions: nowhere, above the table, or
            before the notes.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    folding: Sequence[str] = ()
    optional: Sequence[str] = ()
    right: Sequence[str] = ()
    column_notes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    narrow: Callable[[int], Sequence[str]] | None = None
    essential: Sequence[str] = ()
    subtitle: str = ""
    markdown_title: Literal["", "above", "listed"] = ""


@dataclass(frozen=True)
class Notes:
    """Lines of text."""

    lines: Sequence[str]


@dataclass(frozen=True)
class Answer:
    """What a result comes to, in sentences: the last lines in a terminal, in bold, and the first anywhere else."""

    lines: Sequence[str]


@dataclass(frozen=True)
class Drawing:
    """A picture made of characters of one width.

    Attributes:
        title: its caption.
        draw: given how many characters a line may have, returns the lines.
        lines: what it shows, in sentences.
    """

    title: str
    draw: Callable[[int], Sequence[str]]
    lines: Sequence[str]


Section = Table | Notes | Answer | Drawing

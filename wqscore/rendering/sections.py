"""What a person is shown of a result: tables and notes, whatever prints them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

#: What prints sections: the terminal, Markdown, or a notebook.
Medium = Literal["table", "md", "notebook"]


@dataclass(frozen=True)
class Table:
    """A table of text.

    Attributes:
        title: its caption.
        columns: the headers.
        rows: the cells, one line each.
        folding: columns of names, which may be folded where a terminal is narrow.
        optional: columns that may be left out there, the least wanted first.
        right: columns of words that are aligned as numbers are.
        column_notes: lines under the table about a column, left out with it; a terminal alone shows them.
        narrow: makes the lines that a very narrow terminal shows instead, of its width.
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
    markdown_title: Literal["", "above", "listed"] = ""


@dataclass(frozen=True)
class Notes:
    """Lines of text."""

    lines: Sequence[str]


Section = Table | Notes

"""A page as its parser sees it: elements, tables, text; nothing of how it was made."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

Attributes = dict[str, str]
_CELLS = {"td", "th"}


@dataclass
class Table:
    """A table's caption and rows of text, the header first; rows that name a family are apart."""

    attributes: Attributes
    section: str
    caption: str = ""
    rows: list[list[str]] = field(default_factory=list)
    families: list[list[str]] = field(default_factory=list)

    @property
    def header(self) -> list[str]:
        return self.rows[0]

    @property
    def body(self) -> list[list[str]]:
        return self.rows[1:]


class Page(HTMLParser):
    """Every element with its attributes, every table, and the text outside scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, Attributes]] = []
        self.tables: list[Table] = []
        self.raw: list[tuple[str, Attributes, str]] = []
        self.text = ""
        self._section = ""
        self._open: list[str] = []
        self._rows: list[list[str]] = []
        self.feed(text)
        self.close()

    def table(self, identifier: str) -> Table:
        return next(table for table in self.tables if table.attributes.get("id") == identifier)

    def data(self, identifier: str) -> Any:
        """The JSON of a data block."""
        return json.loads(next(text for _, attributes, text in self.raw if attributes.get("id") == identifier))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.elements.append((tag, attributes))
        if tag in {"script", "style"}:
            self.raw.append((tag, attributes, ""))
        elif tag == "section":
            self._section = attributes.get("id", "")
        elif tag == "table":
            self.tables.append(Table(attributes, self._section))
        elif tag == "tr":
            table = self.tables[-1]
            self._rows = table.families if "family" in attributes.get("class", "").split() else table.rows
            self._rows.append([])
        elif tag in _CELLS:
            self._rows[-1].append("")
        if tag in {*_CELLS, "tr", "caption", "script", "style"}:
            self._open = [tag]

    def handle_endtag(self, tag: str) -> None:
        if tag in {"tr", "caption", "thead", "tbody", "table", "script", "style"}:
            self._open = []

    def handle_data(self, data: str) -> None:
        where = self._open[-1] if self._open else ""
        if where in {"script", "style"}:
            tag, attributes, text = self.raw[-1]
            self.raw[-1] = (tag, attributes, text + data)
            return
        self.text += data
        if where in _CELLS:
            self._rows[-1][-1] += data
        elif where == "caption":
            self.tables[-1].caption += data

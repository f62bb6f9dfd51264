"""Sections as text, fitted to the terminal's width; uncut if standard output is no terminal."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import Literal

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from wqscore.escaping import printable, without_commands
from wqscore.rendering.layout import fit
from wqscore.rendering.numbers import MISSING
from wqscore.rendering.sections import MAX_DRAWING, Answer, Drawing, Section, Table

#: The width of a file or a pipe: nothing is folded or dropped.
_UNLIMITED = 10_000
#: Below this width, a table that has a list form is shown as a list.
_NARROW = 60
#: Sets of characters that an encoding may lack, and their replacements.
_PLAIN = {"–−×·…": "--x*~", "├─┤●": "|-|o", "│┬┴└┼": "|--++"}
#: A number, a range of them, or one with a unit; no sentence that begins with one.
_NUMBER = re.compile(r"[-+]?\.?\d(?!.*[A-Za-z]{6})")


def print_sections(sections: Sequence[Section]) -> None:
    """Print sections to standard output."""
    write(sections_text(sections))


def sections_text(sections: Sequence[Section]) -> str:
    """Sections as text for standard output: tables under bold titles, notes wrapped at its width."""
    text = "".join(map(_section, sections))
    return re.sub(r" +$", "", text, flags=re.MULTILINE)


def _section(section: Section) -> str:
    if isinstance(section, Table):
        return _table(section)
    if isinstance(section, Drawing):
        width = min(_console().width, MAX_DRAWING)
        return f"{_lines([section.title], 'bold')}{_lines(section.draw(width))}\n{_lines(section.lines)}"
    return _lines(["", *section.lines], "bold") if isinstance(section, Answer) else _lines(section.lines)


def write(text: str) -> None:
    """Write to standard output; characters that its encoding lacks become plain ones or ?, commands are escaped."""
    encoding = sys.stdout.encoding or "utf-8"
    for characters, plain in _PLAIN.items():
        if characters.encode(encoding, "ignore").decode(encoding) != characters:
            text = text.translate(str.maketrans(characters, plain))
    sys.stdout.write(without_commands(text.encode(encoding, "replace").decode(encoding)))


def _table(table: Table) -> str:
    width = _console().width
    if table.narrow is not None and width < _NARROW:
        return _lines(table.narrow(width))
    rows = [list(map(printable, row)) for row in table.rows]
    fitted = fit(table.columns, rows, width, table.folding, table.optional)
    drawn = RichTable(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False)
    for column in fitted.columns:
        drawn.add_column(column, justify=_alignment(table, column), no_wrap=True)
    for row in fitted.rows:
        # Text, not str: names from a checkpoint may look like markup.
        drawn.add_row(*map(Text, row))
    # Draw uncut: the table fits, or the numbers alone are too wide and the terminal wraps them.
    console = _console(_UNLIMITED)
    with console.capture() as capture:
        console.print(drawn)
    left_out = [f"not shown at this width: {', '.join(fitted.left_out)}", ""] if fitted.left_out else []
    notes = [line for column, lines in table.column_notes.items() if column in fitted.columns for line in lines]
    return f"{_lines([table.title], 'bold')}{capture.get()}\n{_lines([*left_out, *notes])}"


def _alignment(table: Table, column: str) -> Literal["left", "right"]:
    """Right for a column of numbers alone; a column of names is never one."""
    index = table.columns.index(column)
    cells = {row[index] for row in table.rows} - {"", MISSING}
    is_number = column not in table.folding and all(map(_NUMBER.match, cells))
    return "right" if is_number or column in table.right else "left"


def _lines(lines: Sequence[str], style: str = "") -> str:
    """Plain lines, wrapped at the terminal's width."""
    console = _console()
    with console.capture() as capture:
        for line in lines:
            console.print(Text(printable(line), style=style))
    return capture.get()


def _console(width: int | None = None) -> Console:
    # Only standard output decides: rich alone would colour a pipe if FORCE_COLOR is set.
    terminal = sys.stdout.isatty()
    return Console(force_terminal=terminal, width=width if terminal else _UNLIMITED, highlight=False)

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
#: Below this width, a table that has a list form is shown as a list; below the second, if it would lose a column that
#: is essential.
_NARROW, _TIGHT = 60, 100
#: Sets of characters that an encoding may lack, and their replacements.
_PLAIN = {"–−×·…": "--x*~", "├─┤●": "|-|o", "│┬┴└┼": "|--++"}
#: A number, a range of them, or one with a unit; no sentence that begins with one.
_NUMBER = re.compile(r"[-+]?\.?\d(?!.*[A-Za-z]{6})")
#: A plain number, with what comes from its point on.
_POINT = re.compile(r"[-+−]?[0-9,]+(\.[0-9]+)?")


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
    if table.narrow is not None and width < _TIGHT and set(table.essential) & set(fitted.left_out):
        return _lines(table.narrow(width))
    drawn = RichTable(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False)
    alignments = [_alignment(table, column) for column in fitted.columns]
    for column, alignment in zip(fitted.columns, alignments, strict=True):
        drawn.add_column(column, justify=alignment, no_wrap=True)
    columns = [list(cells) for cells in zip(*fitted.rows, strict=True)]
    aligned = [at_the_point(each) if way == "right" else each for each, way in zip(columns, alignments, strict=False)]
    for row in zip(*aligned, strict=True):
        # Text, not str: names from a checkpoint may look like markup.
        drawn.add_row(*map(Text, row))
    # Draw uncut: the table fits, or the numbers alone are too wide and the terminal wraps them.
    console = _console(_UNLIMITED)
    with console.capture() as capture:
        console.print(drawn)
    left_out = [f"not shown at this width: {', '.join(fitted.left_out)}", ""] if fitted.left_out else []
    notes = [line for column, lines in table.column_notes.items() if column in fitted.columns for line in lines]
    subtitle = _lines([table.subtitle]) if table.subtitle else ""
    return f"{_lines([table.title], 'bold')}{subtitle}{capture.get()}\n{_lines([*left_out, *notes])}"


def at_the_point(cells: Sequence[str]) -> list[str]:
    """Pad numbers so that their points are below each other in a column that is aligned to the right.

    Example:
        >>> at_the_point(["12.5", "3.125", "7", "–"])
        ['12.5  ', '3.125', '7    ', '–']
    """
    points = [_POINT.fullmatch(cell) for cell in cells]
    longest = max((len(found[1] or "") for found in points if found), default=0)
    return [
        cell + " " * (longest - len(found[1] or "")) if found else cell
        for cell, found in zip(cells, points, strict=True)
    ]


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

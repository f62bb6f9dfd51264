"""Markdown tables, for a pull request or a job's summary page."""

from __future__ import annotations

import re
from collections.abc import Sequence

from wqscore.escaping import printable, without_commands
from wqscore.rendering.sections import MAX_DRAWING, Answer, Drawing, Notes, Section, Table


def sections_markdown(sections: Sequence[Section]) -> str:
    """The answer, then all tables, then all notes as one list."""
    answers = [f"{escape(line)}\n\n" for each in sections if isinstance(each, Answer) for line in each.lines]
    tables = [each for each in sections if isinstance(each, Table)]
    drawings = [each for each in sections if isinstance(each, Drawing)]
    lines = [table.title for table in tables if table.markdown_title == "listed"]
    lines += [line for each in sections if isinstance(each, Notes | Drawing) for line in each.lines]
    return without_commands(
        "".join(answers) + "\n".join(map(_titled, tables)) + "".join(map(_block, drawings)) + markdown_list(lines)
    )


def _titled(table: Table) -> str:
    title = f"{escape(table.title)}\n\n" if table.markdown_title == "above" else ""
    return title + markdown_table(table.columns, table.rows)


def _block(drawing: Drawing) -> str:
    """A drawing as a block of code; its lines hold no names, and each is indented, so that none ends the block."""
    drawn = "".join(f"    {line}\n" for line in map(printable, drawing.draw(MAX_DRAWING)))
    return f"\n{escape(drawing.title)}\n\n{drawn}"


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; markup in cells is escaped."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(map(escape, line))} |\n" for line in lines)


def markdown_list(lines: Sequence[str]) -> str:
    """A list under a table, empty for no lines."""
    return "".join(f"{'' if number else chr(10)}- {_item(line)}\n" for number, line in enumerate(lines))


def _item(line: str) -> str:
    """A list item, escaped so that its start is not taken for a heading, list or block of code."""
    return re.sub(r"^(\d*)([-+#.)=])", r"\1\\\2", escape(line).strip())


def escape(text: str) -> str:
    """Escape a name so that Markdown shows it as plain text."""
    return re.sub(r"([\\|`*_<>\[\]~&])", r"\\\1", printable(text))

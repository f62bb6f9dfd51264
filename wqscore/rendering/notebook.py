"""Sections in a notebook: small HTML tables without scripts, styles or anything to fetch.

Names come from strangers: they are escaped, their control characters too, and isolated so that none changes the
direction of text around it.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from wqscore.escaping import printable
from wqscore.rendering.sections import MAX_DRAWING, Answer, Drawing, Section, Table


def sections_notebook(sections: Sequence[Section]) -> str:
    """Sections as HTML, in order: tables with captions, and lists."""
    return str(Markup("").join(map(_section, sections)))


def _section(section: Section) -> Markup:
    if isinstance(section, Table):
        return _table(section.title, section.columns, section.rows)
    if isinstance(section, Answer):
        return Markup("").join(Markup("<p><strong>{}</strong></p>").format(_isolated(line)) for line in section.lines)
    if isinstance(section, Drawing):
        drawn = Markup("<pre>{}</pre>").format("\n".join(map(printable, section.draw(MAX_DRAWING))))
        return Markup("<p>{}</p>").format(_isolated(section.title)) + drawn + _list(section.lines)
    return _list(section.lines)


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Markup:
    head = Markup("").join(Markup('<th scope="col">{}</th>').format(_isolated(column)) for column in columns)
    body = Markup("").join(
        Markup("<tr>{}</tr>").format(Markup("").join(Markup("<td>{}</td>").format(_isolated(cell)) for cell in row))
        for row in rows
    )
    caption = Markup("<caption>{}</caption>").format(_isolated(title))
    return Markup("<table>{}<thead><tr>{}</tr></thead><tbody>{}</tbody></table>").format(caption, head, body)


def _list(lines: Sequence[str]) -> Markup:
    items = Markup("").join(Markup("<li>{}</li>").format(_isolated(line)) for line in lines)
    return Markup("<ul>{}</ul>").format(items) if lines else Markup("")


def _isolated(text: str) -> Markup:
    return Markup("<bdi>{}</bdi>").format(printable(text))

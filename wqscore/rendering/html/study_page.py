"""A study as one page: what it comes to, its charts, and the tables and notes that a person reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from wqscore.rendering.html.page import environment, still_page
from wqscore.rendering.sections import MAX_DRAWING, Answer, Drawing, Notes, Section, Table


@dataclass(frozen=True)
class Figure:
    """A chart.

    Attributes:
        caption: what it shows.
        label: the same for those who can't see it, with where the numbers are.
        drawing: SVG.
    """

    caption: str
    label: str
    drawing: Markup


def study_page(study: str, model: str, sections: Sequence[Section], figures: Sequence[Figure] = ()) -> str:
    """Render a study as one self-contained HTML page, which fetches nothing and runs no code.

    Args:
        study: the command's name.
        model: what was studied.
        sections: what a person reads.
        figures: charts.

    Raises:
        UsageError: SOURCE_DATE_EPOCH is not a number of seconds.
    """
    return still_page(
        environment("wqscore.rendering.html"),
        "study.html.j2",
        study=study,
        model=model,
        answers=[_whole(line) for each in sections if isinstance(each, Answer) for line in each.lines],
        notes=[_whole(line) for each in sections if isinstance(each, Notes) for line in each.lines],
        tables=[each for each in sections if isinstance(each, Table)],
        drawings=[(each, "\n".join(each.draw(MAX_DRAWING))) for each in sections if isinstance(each, Drawing)],
        figures=figures,
    )


def _whole(text: str) -> str:
    """A text without characters that UTF-8 lacks."""
    return text.encode("utf-8", "backslashreplace").decode()

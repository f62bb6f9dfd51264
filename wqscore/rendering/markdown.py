"""Markdown tables, for a pull request or a job's summary page."""

from __future__ import annotations

import re
from collections.abc import Sequence

from wqscore.printable import printable
from wqscore.ranking import Ranking
from wqscore.rendering.overview import (
    family_notes,
    layer_overview_columns,
    layer_overview_rows,
    ranking_overview_columns,
    ranking_overview_rows,
    remarks,
    score_notes,
    summary_overview_columns,
    summary_overview_rows,
    value_overview_columns,
    value_overview_rows,
)
from wqscore.rendering.trust import trust_notes
from wqscore.scoring import ModelScore


def ranking_markdown(ranking: Ranking) -> str:
    """The ranking as a table, then the models without a rank and why."""
    table = markdown_table(ranking_overview_columns(ranking), ranking_overview_rows(ranking))
    return table + markdown_list([*family_notes(ranking), *trust_notes(ranking), *remarks(ranking)])


def score_markdown(score: ModelScore) -> str:
    """The summary and the matrices of one model as two tables, then what was skipped and why."""
    summary = markdown_table(summary_overview_columns(), summary_overview_rows(score))
    values = value_overview_rows(score)
    whole = f"\n{markdown_table(value_overview_columns(), values)}" if values else ""
    layers = markdown_table(layer_overview_columns(score), layer_overview_rows(score))
    return f"{summary}{whole}\n{layers}{markdown_list(score_notes(score))}"


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; what looks like markup is escaped."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(map(_escape, line))} |\n" for line in lines)


def markdown_list(lines: Sequence[str]) -> str:
    """A list under a table, empty for no lines."""
    return "".join(f"{'' if number else chr(10)}- {_escape(line)}\n" for number, line in enumerate(lines))


def _escape(text: str) -> str:
    return re.sub(r"([\\|`*_<>\[\]~&])", r"\\\1", printable(text))

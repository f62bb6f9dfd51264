"""Markdown tables, for a pull request or a job's summary page."""

from __future__ import annotations

import re
from collections.abc import Sequence

from wqscore.escaping import printable
from wqscore.ranking.ranking import Ranking
from wqscore.reports.overview import (
    family_notes,
    layer_overview_columns,
    layer_overview_rows,
    ranking_overview_columns,
    ranking_overview_rows,
    ranking_title,
    remarks,
    score_notes,
    summary_overview_columns,
    summary_overview_rows,
    value_overview_columns,
    value_overview_rows,
)
from wqscore.reports.trust import trust_notes
from wqscore.scoring.model_score import ModelScore


def ranking_markdown(ranking: Ranking) -> str:
    """What ranks, the ranking as a table, then how far to trust it, and the models without a rank and why."""
    table = markdown_table(ranking_overview_columns(ranking), ranking_overview_rows(ranking))
    notes = [*family_notes(ranking), *trust_notes(ranking), *remarks(ranking)]
    return f"{escape(ranking_title(ranking))}\n\n{table}{markdown_list(notes)}"


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
    return "".join(f"| {' | '.join(map(escape, line))} |\n" for line in lines)


def markdown_list(lines: Sequence[str]) -> str:
    """A list under a table, empty for no lines."""
    return "".join(f"{'' if number else chr(10)}- {_item(line)}\n" for number, line in enumerate(lines))


def _item(line: str) -> str:
    """A line that begins with a name begins no heading, list or block of code."""
    return re.sub(r"^(\d*)([-+#.)=])", r"\1\\\2", escape(line).strip())


def escape(text: str) -> str:
    """A name as text that Markdown takes for nothing else."""
    return re.sub(r"([\\|`*_<>\[\]~&])", r"\\\1", printable(text))

"""Markdown tables, for a pull request or a job's summary page."""

from __future__ import annotations

import re
from collections.abc import Sequence

from wqscore.ranking import Ranking
from wqscore.rendering.overview import (
    layer_overview_columns,
    layer_overview_rows,
    ranking_overview_columns,
    ranking_overview_rows,
    remarks,
    summary_overview_columns,
    summary_overview_rows,
)
from wqscore.scoring import ModelScore


def ranking_markdown(ranking: Ranking) -> str:
    """The ranking as a table, then the models without a rank and why."""
    table = markdown_table(ranking_overview_columns(ranking), ranking_overview_rows(ranking))
    notes = "".join(f"\n- {_escape(remark)}" for remark in remarks(ranking))
    return f"{table}{notes and chr(10)}{notes}{notes and chr(10)}"


def score_markdown(score: ModelScore) -> str:
    """The summary and the matrices of one model as two tables."""
    summary = markdown_table(summary_overview_columns(), summary_overview_rows(score))
    layers = markdown_table(layer_overview_columns(), layer_overview_rows(score))
    return f"{summary}\n{layers}"


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; what looks like markup is escaped."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(map(_escape, line))} |\n" for line in lines)


def _escape(text: str) -> str:
    return re.sub(r"([\\|`*_<>\[\]])", r"\\\1", text.replace("\n", " "))

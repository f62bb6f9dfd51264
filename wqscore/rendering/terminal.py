"""Tables for a terminal, whole where the output is not one."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from wqscore.ranking import Ranking
from wqscore.rendering.overview import (
    layer_overview_columns,
    layer_overview_rows,
    ranking_overview_columns,
    ranking_overview_rows,
    remarks,
    score_notes,
    summary_overview_columns,
    summary_overview_rows,
)
from wqscore.scoring import ModelScore

#: Wide enough that nothing is cut when the table goes to a file or another program.
_UNLIMITED = 10_000
#: Columns of words; the others hold numbers.
_WORDS = frozenset({"model", "name", "role", "family", "verdict", "metric", "status", "dtype", "licence"})
#: These give way first when the terminal is narrow, by folding; numbers are never cut.
_FOLDING = frozenset({"model", "name", "what happens", "id", "aliases"})


def print_ranking(ranking: Ranking) -> None:
    """Print the ranking, and under it the models without a rank."""
    statistic = ranking.preset.headline
    title = f"{statistic} {ranking.by.name}, {ranking.by.better} is better · preset {ranking.preset.name}"
    print_table(ranking_overview_columns(ranking), ranking_overview_rows(ranking), title)
    print_lines(remarks(ranking))


def print_score(score: ModelScore) -> None:
    """Print one model's matrices, its summary, and what was skipped."""
    print_table(layer_overview_columns(), layer_overview_rows(score), score.ref.label)
    print_table(
        summary_overview_columns(), summary_overview_rows(score), f"over matrices · preset {score.preset.name}"
    )
    print_lines(score_notes(score))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], title: str) -> None:
    """Print rows of text under headers to standard output."""
    table = Table(title=Text(title), box=box.SIMPLE_HEAD, title_justify="left", title_style="bold", pad_edge=False)
    for column in columns:
        words = column in _WORDS or column in _FOLDING
        table.add_column(
            column,
            justify="left" if words else "right",
            overflow="fold" if column in _FOLDING else "ellipsis",
            no_wrap=column not in _FOLDING,
            min_width=12 if column in _FOLDING else None,
        )
    for row in rows:
        # Text, not str: names from a checkpoint may look like markup.
        table.add_row(*(Text(cell) for cell in row))
    _console().print(table)


def print_lines(lines: Sequence[str]) -> None:
    """Print plain lines to standard output, wrapped at the terminal's width."""
    console = _console()
    for line in lines:
        console.print(Text(line))


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else _UNLIMITED, highlight=False)

"""Tables for a terminal, fitted to its width; whole where the output is not one."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from wqscore.printable import printable
from wqscore.ranking import Ranking
from wqscore.rendering.layout import fit
from wqscore.rendering.overview import (
    family_notes,
    headline,
    layer_overview_columns,
    layer_overview_rows,
    made_by,
    ranking_overview_columns,
    ranking_overview_rows,
    remarks,
    score_notes,
    summary_overview_columns,
    summary_overview_rows,
    value_overview_columns,
    value_overview_rows,
)
from wqscore.rendering.trust import pair_notes
from wqscore.scoring import ModelScore

#: Wide enough that nothing is folded or left out when the table goes to a file or another program.
_UNLIMITED = 10_000
#: Columns of words; the others hold numbers.
_WORDS = frozenset(
    {"name", "model", "id", "aliases", "what happens", "role", "family", "verdict", "flags", "metric", "dtype"}
    | {
        "group",
        "as claimed",
        "rule",
        "outcome",
        "severity",
        "kind",
        "detail",
        "licence",
        "reason",
        "formula",
        "level",
        "cost",
        "better",
        "unit",
    }
)

#: Columns of one model's matrices that are left out first, and, after those that were asked for, last.
_LEAST_WANTED = ("log_spectral_norm", "log_norm", "stable_rank", "role", "n_tail", "p_value")
_MOST_WANTED = ("flags", "alpha_hi", "alpha_lo", "D", "shape")


def print_ranking(ranking: Ranking) -> None:
    """Print the ranking, and under it the models without a rank."""
    statistic = headline(ranking.by, ranking.preset)
    columns = ranking_overview_columns(ranking)
    title = f"{statistic} {columns[2]}, {ranking.by.better} is better · {made_by(ranking.preset, ranking.scores)}"
    optional = ["depth", *columns[3 : columns.index("range")], "params", "fitted", "coverage", "ties", "range"]
    if len(ranking.families) < 2:
        optional.insert(0, "family")
    print_table(columns, ranking_overview_rows(ranking), title, folding=["model"], optional=optional)
    print_lines([*family_notes(ranking), *pair_notes(ranking), *remarks(ranking)])


def print_score(score: ModelScore) -> None:
    """Print one model's matrices, its summary, and what was skipped."""
    columns = layer_overview_columns(score)
    others = [name for name in reversed(columns[4:-2]) if name not in {*_LEAST_WANTED, *_MOST_WANTED}]
    optional = [name for name in (*_LEAST_WANTED, *others, *_MOST_WANTED) if name in columns and name != columns[3]]
    print_table(columns, layer_overview_rows(score), score.ref.label, folding=["name"], optional=optional)
    if score.summary.n_fitted:
        print_table(
            summary_overview_columns(),
            summary_overview_rows(score),
            f"over matrices · {made_by(score.preset, [score])}",
            optional=["by size", "matrices", "mean"],
        )
    values = value_overview_rows(score)
    if values:
        print_table(value_overview_columns(), values, "over the whole model", optional=["matrices"])
    print_lines(score_notes(score))


def print_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    title: str,
    folding: Sequence[str] = (),
    optional: Sequence[str] = (),
) -> None:
    """Print a title and rows of text under headers to standard output.

    Args:
        columns: the headers.
        rows: the cells.
        title: printed above.
        folding: columns of names, which may be folded where the terminal is narrow.
        optional: columns that may be left out there, the least wanted first.
    """
    fitted = fit(columns, [list(map(printable, row)) for row in rows], _console().width, folding, optional)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False)
    for column in fitted.columns:
        table.add_column(column, justify="left" if column in _WORDS else "right", no_wrap=True)
    for row in fitted.rows:
        # Text, not str: names from a checkpoint may look like markup.
        table.add_row(*map(Text, row))
    print_lines([title], style="bold")
    # It fits, or the terminal is too narrow for the numbers alone and breaks the lines itself.
    console = _console(_UNLIMITED)
    with console.capture() as capture:
        console.print(table)
    _write(f"{capture.get()}\n")
    if fitted.left_out:
        print_lines([f"not shown at this width: {', '.join(fitted.left_out)}", ""])


def print_lines(lines: Sequence[str], style: str = "") -> None:
    """Print plain lines to standard output, wrapped at the terminal's width."""
    console = _console()
    with console.capture() as capture:
        for line in lines:
            console.print(Text(printable(line), style=style))
    _write(capture.get())


def _write(text: str) -> None:
    """Write without the blanks at the ends of lines, and with ? for what the terminal's encoding lacks."""
    trimmed = re.sub(r" +$", "", text, flags=re.MULTILINE)
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(trimmed.encode(encoding, "replace").decode(encoding))


def _console(width: int | None = None) -> Console:
    # By what standard output is and nothing else: rich would colour a pipe where FORCE_COLOR is set.
    terminal = sys.stdout.isatty()
    return Console(force_terminal=terminal, width=width if terminal else _UNLIMITED, highlight=False)

"""Tables for a terminal, fitted to its width; whole where the output is not one."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from wqscore.escaping import printable
from wqscore.ranking.ranking import Ranking
from wqscore.rendering.layout import fit
from wqscore.reports.intervals import ASCII, LINES, has_intervals
from wqscore.reports.narrow import BARS, narrow_ranking, ranking_bars, scale_note
from wqscore.reports.overview import (
    family_notes,
    layer_overview_columns,
    layer_overview_rows,
    made_by,
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
from wqscore.reports.trust import pair_notes
from wqscore.reports.worth_checking import first_look_columns, first_look_rows, first_looks
from wqscore.scoring.model_score import ModelScore

#: Wide enough that nothing is folded or left out when the table goes to a file or another program.
_UNLIMITED = 10_000
#: Below this width a ranking is a list.
_NARROW = 60
#: Matrices worth looking at that are shown.
_MOST_LOOKS = 8
#: What an encoding may lack, and what stands for it there.
_PLAIN = str.maketrans("–−×·…", "--x*~")
#: Columns of words; the others hold numbers.
_WORDS = frozenset(
    {
        "name",
        "matrix",
        "why",
        BARS,
        "model",
        "id",
        "aliases",
        "what happens",
        "role",
        "family",
        "verdict",
        "flags",
        "metric",
        "dtype",
    }
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
    if _console().width < _NARROW:
        print_lines(narrow_ranking(ranking, _console().width, _marks()))
    else:
        _print_ranking_table(ranking)
    print_lines([*family_notes(ranking), *pair_notes(ranking), *remarks(ranking)])


def _print_ranking_table(ranking: Ranking) -> None:
    columns, rows = ranking_overview_columns(ranking), ranking_overview_rows(ranking)
    drawn = has_intervals(ranking)
    optional = ["depth", *columns[4 if drawn else 3 : columns.index("range")], "params", "fitted"]
    if drawn:
        columns.insert(4, BARS)
        for row, cell in zip(rows, ranking_bars(ranking, _marks()), strict=True):
            row.insert(4, cell)
        optional += ["interval"]
    optional += ["coverage", *([BARS] if drawn else []), "ties", "range"]
    if len(ranking.families) < 2:
        optional.insert(0, "family")
    left_out = print_table(columns, rows, ranking_title(ranking), folding=["model"], optional=optional)
    if BARS not in left_out:
        print_lines(scale_note(ranking))


def print_score(score: ModelScore) -> None:
    """Print one model's matrices, those worth looking at first, its summary, and what was skipped."""
    columns = layer_overview_columns(score)
    others = [name for name in reversed(columns[4:-2]) if name not in {*_LEAST_WANTED, *_MOST_WANTED}]
    optional = [name for name in (*_LEAST_WANTED, *others, *_MOST_WANTED) if name in columns and name != columns[3]]
    print_table(columns, layer_overview_rows(score), score.ref.label, folding=["name"], optional=optional)
    _print_first_looks(score)
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


def _print_first_looks(score: ModelScore) -> None:
    looks = first_looks(score)
    if not looks:
        return
    first, more = looks[:_MOST_LOOKS], len(looks) - _MOST_LOOKS
    others = f", and {more} more" if more > 0 else ""
    title = f"worth looking at first: {len(first)} of {len(score.layers)} matrices{others}"
    print_table(first_look_columns(), first_look_rows(first), title, folding=["why", "matrix"])


def print_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    title: str,
    folding: Sequence[str] = (),
    optional: Sequence[str] = (),
) -> Sequence[str]:
    """Print a title and rows of text under headers to standard output.

    Args:
        columns: the headers.
        rows: the cells.
        title: printed above.
        folding: columns of names, which may be folded where the terminal is narrow.
        optional: columns that may be left out there, the least wanted first.

    Returns:
        The columns that were left out.
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
    return fitted.left_out


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
    if not _can_show("–−×·…"):
        trimmed = trimmed.translate(_PLAIN)
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(trimmed.encode(encoding, "replace").decode(encoding))


def _marks() -> Sequence[str]:
    """What bars are drawn with."""
    return LINES if _can_show("".join(LINES)) else ASCII


def _can_show(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _console(width: int | None = None) -> Console:
    # By what standard output is and nothing else: rich would colour a pipe where FORCE_COLOR is set.
    terminal = sys.stdout.isatty()
    return Console(force_terminal=terminal, width=width if terminal else _UNLIMITED, highlight=False)

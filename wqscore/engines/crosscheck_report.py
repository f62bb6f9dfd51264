"""What `crosscheck` shows: wqscore's numbers and WeightWatcher's side by side, then where they differ, in words."""

from __future__ import annotations

from collections.abc import Sequence

from wqscore.engines.crosscheck import TOLERANCE, Comparison, Crosscheck, MatrixComparison, Unpaired
from wqscore.escaping import listed
from wqscore.presets.weightwatcher import WW_0_7
from wqscore.rendering.csv import csv_text
from wqscore.rendering.json import json_text
from wqscore.rendering.markdown import markdown_list, markdown_table
from wqscore.rendering.numbers import Cell, figure, number
from wqscore.rendering.terminal import print_lines, print_table
from wqscore.version import __version__

#: The columns shown for each matrix; the CSV has them all.
_SHOWN = ("alpha", "D", "log_norm", "log_spectral_norm", "stable_rank")
_CSV_COLUMNS = ["model", "name", "column", "wqscore", "weightwatcher", "difference", "verdict", "reason"]
_MEAN_COLUMNS = ["mean", "wqscore", "WeightWatcher", "difference", "verdict"]
#: How many differing matrices, and how many matrices of one reason, are named.
_TOLD, _NAMED = 10, 3
_NAMES = {"wqscore": "wqscore", "weightwatcher": "WeightWatcher"}


def print_crosscheck(check: Crosscheck) -> None:
    """Print the matrices, the means, and what differs."""
    if check.matrices:
        columns = _matrix_columns(check)
        title = f"{check.ref.label}: wqscore | WeightWatcher {check.version}"
        optional = [name for name in reversed(columns) if name in _SHOWN[1:]]
        print_table(columns, _matrix_rows(check), title, folding=["name"], optional=optional)
    if check.means:
        ours, theirs = check.averaged
        title = f"means over {ours} matrices | {theirs}"
        print_table(_MEAN_COLUMNS, _mean_rows(check), title, optional=["difference"])
    print_lines(crosscheck_notes(check))


def crosscheck_markdown(check: Crosscheck) -> str:
    """The matrices and the means as two tables, then what differs."""
    matrices = markdown_table(_matrix_columns(check), _matrix_rows(check)) if check.matrices else ""
    means = markdown_table(_MEAN_COLUMNS, _mean_rows(check)) if check.means else ""
    return "\n".join(filter(None, [means, matrices])) + markdown_list(crosscheck_notes(check))


def crosscheck_csv(check: Crosscheck) -> str:
    """A row for each matrix and column, each matrix that only one scored, and, without a name, each mean."""
    model = check.ref.label
    rows: list[list[Cell]] = [
        [model, matrix.name, c.column, *_numbers(c), c.verdict, matrix.reason or None]
        for matrix in check.matrices
        for c in matrix.comparisons
    ]
    rows += [[model, u.name, None, None, None, None, f"only-{u.scored_by}", u.reason] for u in check.unpaired]
    rows += [[model, None, f"{c.column}_mean", *_numbers(c), c.verdict, None] for c in check.means]
    return csv_text(_CSV_COLUMNS, rows)


def crosscheck_json(check: Crosscheck) -> str:
    """Everything, for machines."""
    document = {
        "wqscore": __version__,
        "weightwatcher": check.version,
        "model": check.ref.label,
        "revision": check.revision,
        "preset": WW_0_7.name,
        "tolerance": TOLERANCE,
        "matrices": [
            {
                "name": matrix.name,
                "verdict": matrix.verdict,
                "reason": matrix.reason or None,
                "columns": {c.column: _record(c) for c in matrix.comparisons},
            }
            for matrix in check.matrices
        ],
        "averaged": dict(zip(_NAMES, check.averaged, strict=True)),
        "unpaired": [{"name": u.name, "scored_by": u.scored_by, "reason": u.reason} for u in check.unpaired],
        "means": {c.column: _record(c) for c in check.means},
        "weightwatcher_failed": list(check.failed),
    }
    return json_text(document)


def crosscheck_notes(check: Crosscheck) -> list[str]:
    """Where the two differ, in words, the count of what agrees first."""
    differing = [matrix for matrix in check.matrices if matrix.differing]
    same = len(check.matrices) - len(differing)
    lines = ["no matrix was scored by both"]
    if check.matrices:
        columns = len(check.matrices[0].comparisons)
        lines = [
            f"{same} of {len(check.matrices)} matrices the same in all {columns} columns, to {TOLERANCE:g} relative"
        ]
    lines += [_difference(matrix) for matrix in differing[:_TOLD]]
    if len(differing) > _TOLD:
        lines.append(f"{len(differing) - _TOLD} more differ: --format csv has them")
    if check.failed:
        lines.append(
            f"WeightWatcher has no fit for {listed(check.failed, _NAMED)}; its means count an alpha of −1 or infinity"
        )
    return lines + _unpaired(check.unpaired)


def _matrix_columns(check: Crosscheck) -> list[str]:
    return ["name", *(c.column for c in check.matrices[0].comparisons if c.column in _SHOWN), "verdict"]


def _matrix_rows(check: Crosscheck) -> list[list[str]]:
    return [
        [matrix.name, *(_pair(c) for c in matrix.comparisons if c.column in _SHOWN), matrix.verdict]
        for matrix in check.matrices
    ]


def _mean_rows(check: Crosscheck) -> list[list[str]]:
    return [[c.column, figure(c.ours), figure(c.theirs), figure(c.difference), c.verdict] for c in check.means]


def _pair(comparison: Comparison) -> str:
    return f"{figure(comparison.ours)} | {figure(comparison.theirs)}"


def _numbers(comparison: Comparison) -> list[Cell]:
    return [number(comparison.ours), number(comparison.theirs), number(comparison.difference)]


def _record(comparison: Comparison) -> dict[str, Cell]:
    return {
        **dict(zip(("wqscore", "weightwatcher", "difference"), _numbers(comparison), strict=True)),
        "verdict": comparison.verdict,
    }


def _difference(matrix: MatrixComparison) -> str:
    parts = [
        f"{c.column} {_exact(c.ours)} | {_exact(c.theirs)}"
        + (f" ({c.difference:.1g} apart)" if number(c.difference) is not None else "")
        for c in matrix.differing
    ]
    reason = f" ({matrix.reason})" if matrix.reason else ""
    return f"{matrix.name} differs: {', '.join(parts)}{reason}"


def _exact(value: float) -> str:
    """Enough digits that what differs by more than the tolerance looks different."""
    return figure(value) if number(value) is None else f"{value:.8g}"


def _unpaired(unpaired: Sequence[Unpaired]) -> list[str]:
    """A line for each reason."""
    groups: dict[tuple[str, str], list[str]] = {}
    for matrix in unpaired:
        groups.setdefault((matrix.scored_by, matrix.reason), []).append(matrix.name)
    return [
        f"only {_NAMES[by]} scored {listed(names, _NAMED)}: {_worded(by, reason)}"
        for (by, reason), names in groups.items()
    ]


def _worded(scored_by: str, reason: str) -> str:
    return f"here {reason}" if scored_by == "weightwatcher" else reason

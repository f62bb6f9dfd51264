"""The output of `crosscheck`: wqscore's and WeightWatcher's numbers side by side, and where they differ in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wqscore.engines.crosscheck import TOLERANCE, Agreement, Crosscheck, CrosscheckRow, MatrixComparison, Unpaired
from wqscore.escaping import listed
from wqscore.presets.weightwatcher import WW_0_7
from wqscore.rendering.numbers import Cell, figure, number
from wqscore.rendering.rows import Rows
from wqscore.rendering.sections import Medium, Notes, Section, Table
from wqscore.version import __version__

#: The columns shown for each matrix; the CSV has them all.
_SHOWN = ("alpha", "D", "log_norm", "log_spectral_norm", "stable_rank")
_CSV_COLUMNS = ["model", "name", "column", "wqscore", "weightwatcher", "difference", "verdict", "reason"]
_MEAN_COLUMNS = ["mean", "wqscore", "WeightWatcher", "difference", "verdict"]
#: At most so many differing matrices are listed, and so many matrices named for each reason.
_MAX_DIFFERING, _NAMED = 10, 3
_TOOL_NAMES = {"wqscore": "wqscore", "weightwatcher": "WeightWatcher"}


def crosscheck_sections(check: Crosscheck, medium: Medium) -> list[Section]:
    """The tables of matrices and of means (Markdown: means first), then notes on what differs."""
    tables = [*_matrices(check), *_means(check)]
    return [*(reversed(tables) if medium == "md" else tables), Notes(crosscheck_notes(check))]


def crosscheck_rows(check: Crosscheck) -> Rows:
    """A row per column of each matrix, per matrix that only one tool scored, and, without a name, per mean."""
    model = check.ref.label
    rows: list[list[Cell]] = [
        [model, matrix.name, c.column, *_numbers(c), c.verdict, matrix.reason or None]
        for matrix in check.matrices
        for c in matrix.comparisons
    ]
    rows += [[model, u.name, None, None, None, None, f"only-{u.scored_by}", u.reason] for u in check.unpaired]
    rows += [[model, None, f"{c.column}_mean", *_numbers(c), c.verdict, None] for c in check.means]
    return Rows(_CSV_COLUMNS, rows, frozenset(_CSV_COLUMNS) - {"wqscore", "weightwatcher", "difference"})


def crosscheck_document(check: Crosscheck) -> dict[str, Any]:
    """The whole comparison as the document that JSON prints."""
    return {
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
        "averaged": dict(zip(_TOOL_NAMES, check.averaged, strict=True)),
        "unpaired": [{"name": u.name, "scored_by": u.scored_by, "reason": u.reason} for u in check.unpaired],
        "means": {c.column: _record(c) for c in check.means},
        "shared_means": {c.column: _record(c) for c in check.shared_means},
        "weightwatcher_failed": list(check.failed),
    }


def crosscheck_notes(check: Crosscheck) -> list[str]:
    """How many matrices agree, then where the tools differ, in words."""
    differing = [matrix for matrix in check.matrices if matrix.differing]
    same = len(check.matrices) - len(differing)
    lines = ["no matrix was scored by both"]
    if check.matrices:
        columns = len(check.matrices[0].comparisons)
        lines = [
            f"{same} of {len(check.matrices)} matrices the same in all {columns} columns, to {TOLERANCE:g} relative"
        ]
    lines += [_difference(matrix) for matrix in differing[:_MAX_DIFFERING]]
    if len(differing) > _MAX_DIFFERING:
        lines.append(f"{len(differing) - _MAX_DIFFERING} more differ: --format csv has them")
    if check.failed:
        lines.append(
            f"WeightWatcher has no fit for {listed(check.failed, _NAMED)}; its means count an alpha of −1 or infinity"
        )
    return lines + _unpaired(check.unpaired)


def _matrices(check: Crosscheck) -> list[Table]:
    if not check.matrices:
        return []
    columns = ["name", *(c.column for c in check.matrices[0].comparisons if c.column in _SHOWN), "verdict"]
    rows = [
        [matrix.name, *(_pair(c) for c in matrix.comparisons if c.column in _SHOWN), matrix.verdict]
        for matrix in check.matrices
    ]
    title = f"{check.ref.label}: wqscore | WeightWatcher {check.version}"
    optional = [name for name in reversed(columns) if name in _SHOWN[1:]]
    return [Table(title, columns, rows, folding=["name"], optional=optional)]


def _means(check: Crosscheck) -> list[Table]:
    shared = {c.column: c.verdict for c in check.shared_means}
    rows = [
        [c.column, figure(c.ours), figure(c.theirs), figure(c.difference), _verdict(c, shared)] for c in check.means
    ]
    title = "means over {} matrices | {}".format(*check.averaged)
    return [Table(title, _MEAN_COLUMNS, rows, optional=["difference"])] if rows else []


def _verdict(mean: CrosscheckRow, shared: Mapping[str, Agreement]) -> str:
    """Whether the means agree, or do so over the matrices that both tools have a value for."""
    is_same_there = mean.verdict == "differs" and shared.get(mean.column) == "same"
    return "same over what both have" if is_same_there else mean.verdict


def _pair(comparison: CrosscheckRow) -> str:
    return f"{figure(comparison.ours)} | {figure(comparison.theirs)}"


def _numbers(comparison: CrosscheckRow) -> list[Cell]:
    return [number(comparison.ours), number(comparison.theirs), number(comparison.difference)]


def _record(comparison: CrosscheckRow) -> dict[str, Cell]:
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
    """A value with enough digits to show any difference above the tolerance."""
    return figure(value) if number(value) is None else f"{value:.8g}"


def _unpaired(unpaired: Sequence[Unpaired]) -> list[str]:
    """A line per reason, naming the matrices that only one tool scored."""
    groups: dict[tuple[str, str], list[str]] = {}
    for matrix in unpaired:
        groups.setdefault((matrix.scored_by, matrix.reason), []).append(matrix.name)
    return [
        f"only {_TOOL_NAMES[by]} scored {listed(names, _NAMED)}: {_worded(by, reason)}"
        for (by, reason), names in groups.items()
    ]


def _worded(scored_by: str, reason: str) -> str:
    return f"here {reason}" if scored_by == "weightwatcher" else reason

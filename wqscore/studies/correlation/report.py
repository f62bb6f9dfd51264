"""The output of `correlate`: a row per metric and set of models, with its n, then warnings and notes."""

from __future__ import annotations

from typing import Any

from wqscore.ranking.rank_correlation import Coefficient
from wqscore.rendering.numbers import MISSING, Cell, counted, figure
from wqscore.rendering.rows import Rows
from wqscore.rendering.sections import Medium, Notes, Section, Table
from wqscore.studies.correlation.correlate import Correlations
from wqscore.studies.correlation.granulated import AxisTau, Granulated
from wqscore.studies.correlation.notes import correlation_notes
from wqscore.studies.correlation.row import CorrelationRow
from wqscore.version import __version__

_COLUMNS = ["metric", "group", "n", "tau", "tau p", "tau 95 %", "rho", "rho p", "rho 95 %"]
_CLAIM = "as claimed"
_CSV_COLUMNS = [
    *("x", "scope", "group", "n", "tau", "tau_p", "tau_lo", "tau_hi", "rho", "rho_p", "rho_lo", "rho_hi", "p_method"),
    *("partial_tau", "partial_rho", "partial_n", "as_claimed", "reason"),
]
_CSV_WORDS = frozenset({"x", "scope", "group", "p_method", "as_claimed", "reason"})
_AXIS_TITLE = "granulated: mean tau with one axis varying and the others fixed (cells, n)"


def correlation_sections(found: Correlations, _: Medium) -> list[Section]:
    """A table of the correlations, one of the taus along axes, then warnings and notes."""
    optional = ["rho 95 %", "rho p", *_given(found), "tau 95 %", _CLAIM, "rho", "tau p"]
    title = f"against {found.y}, {found.better} is better · {counted(len(found.joined.known.rows), 'model')}"
    columns = [*_COLUMNS, *_given(found), _CLAIM]
    table = Table(title, columns, _rows(found), ["metric", "group"], optional, markdown_title="listed")
    return [table, *_along_axes(found), Notes(correlation_notes(found))]


def correlation_rows(found: Correlations) -> Rows:
    """A row per metric and scope: `pooled`, `group`, `axis` (tau with only that axis varying) and `granulated`."""
    rows = [_csv_row(row) for row in found.rows]
    rows += [row for granulated in found.granulated for row in _csv_axes(granulated)]
    return Rows(_CSV_COLUMNS, rows, _CSV_WORDS)


def correlation_document(found: Correlations) -> dict[str, Any]:
    """The JSON document: all results, settings and notes."""
    joined = found.joined
    return {
        "wqscore": __version__,
        "y": found.y,
        "better": found.better,
        "group": found.group,
        "params": found.params,
        "depth": found.depth,
        "seed": found.seed,
        "models": len(joined.known.rows),
        "tried": list(found.tried),
        "correlations": [dict(zip(_CSV_COLUMNS, _csv_row(row), strict=True)) for row in found.rows],
        "granulated": [
            {
                "x": granulated.x,
                "tau": granulated.tau,
                "axes": [{"axis": a.axis, "tau": a.tau, "cells": a.cells, "n": a.n} for a in granulated.axes],
            }
            for granulated in found.granulated
        ],
        "sign_flips": [
            {"x": flip.pooled.x, "flipped": [row.group for row in flip.flipped], "groups": flip.groups}
            for flip in found.flips
        ],
        "only_in_scores": list(joined.only_in_scores),
        "only_in_known": list(joined.only_in_known),
        "without_rank": list(joined.without_rank),
        "notes": correlation_notes(found),
    }


def _given(found: Correlations) -> list[str]:
    return [f"tau given {found.params}", f"rho given {found.params}"] if found.params else []


def _rows(found: Correlations) -> list[list[str]]:
    return [
        [
            row.x,
            "all" if row.group is None else row.group,
            str(row.n),
            *_shown(row.correlation.tau),
            *_shown(row.correlation.rho),
            *(_partial(row) if found.params else []),
            row.as_claimed or MISSING,
        ]
        for row in found.rows
        if row.correlation
    ]


def _shown(coefficient: Coefficient) -> list[str]:
    interval = coefficient.interval
    shown = f"{interval[0]:z.2f} to {interval[1]:z.2f}" if interval else MISSING
    return [f"{coefficient.value:z.2f}", f"{coefficient.p:.2g}", shown]


def _partial(row: CorrelationRow) -> list[str]:
    if row.partial is None:
        return [MISSING, MISSING]
    fewer = f" (n {row.partial.n})" if row.partial.n < row.n else ""
    return [MISSING if value is None else f"{value:z.2f}{fewer}" for value in (row.partial.tau, row.partial.rho)]


def _along_axes(found: Correlations) -> list[Table]:
    if not found.granulated:
        return []
    columns = ["metric", "mean", *(axis.axis for axis in found.granulated[0].axes)]
    rows = [[g.x, figure(g.tau), *map(_axis, g.axes)] for g in found.granulated]
    return [Table(_AXIS_TITLE, columns, rows, folding=["metric"])]


def _axis(axis: AxisTau) -> str:
    return f"{figure(axis.tau)} ({axis.cells}, {axis.n})"


def _csv_row(row: CorrelationRow) -> list[Cell]:
    found, partial = row.correlation, row.partial
    scope = "pooled" if row.group is None else "group"
    return [
        *(row.x, scope, row.group, row.n),
        *(_cells(found.tau) if found else [None] * 4),
        *(_cells(found.rho) if found else [None] * 4),
        found.p_method if found else None,
        *((partial.tau, partial.rho, partial.n) if partial else (None, None, None)),
        row.as_claimed,
        row.reason or None,
    ]


def _cells(coefficient: Coefficient) -> list[Cell]:
    return [coefficient.value, coefficient.p, *(coefficient.interval or (None, None))]


def _csv_axes(granulated: Granulated) -> list[list[Cell]]:
    most = max(axis.n for axis in granulated.axes)
    taus: list[tuple[str, str | None, int, float | None]] = [
        ("axis", axis.axis, axis.n, axis.tau) for axis in granulated.axes
    ]
    taus.append(("granulated", None, most, granulated.tau))
    rest = [None] * (len(_CSV_COLUMNS) - 5)
    return [[granulated.x, *tau, *rest] for tau in taus]

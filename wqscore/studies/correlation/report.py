"""What `correlate` shows: a row per metric and set of models, each with its n, then what to beware of, in words."""

from __future__ import annotations

from wqscore.ranking.rank_correlation import Coefficient
from wqscore.rendering.csv import csv_text
from wqscore.rendering.json import json_text
from wqscore.rendering.markdown import markdown_list, markdown_table
from wqscore.rendering.numbers import Cell, figure
from wqscore.rendering.terminal import print_lines, print_table
from wqscore.studies.correlation.correlate import Correlations
from wqscore.studies.correlation.granulated import AxisTau, Granulated
from wqscore.studies.correlation.notes import correlation_notes
from wqscore.studies.correlation.row import CorrelationRow
from wqscore.version import __version__

_MISSING = "–"
_COLUMNS = ["metric", "group", "n", "tau", "tau p", "tau 95 %", "rho", "rho p", "rho 95 %"]
_CLAIM = "as claimed"
_CSV_COLUMNS = [
    *("x", "scope", "group", "n", "tau", "tau_p", "tau_lo", "tau_hi", "rho", "rho_p", "rho_lo", "rho_hi", "p_method"),
    *("partial_tau", "partial_rho", "partial_n", "as_claimed", "reason"),
]


def print_correlations(found: Correlations) -> None:
    """Print the correlations, those along axes, and what to beware of."""
    optional = ["rho 95 %", "rho p", *_given(found), "tau 95 %", _CLAIM, "rho", "tau p"]
    print_table(_columns(found), _rows(found), _title(found), folding=["metric", "group"], optional=optional)
    if found.granulated:
        print_table(_axis_columns(found), _axis_rows(found), _AXIS_TITLE, folding=["metric"])
    print_lines(correlation_notes(found))


def correlations_markdown(found: Correlations) -> str:
    """The correlations and those along axes as tables, then what to beware of."""
    tables = [markdown_table(_columns(found), _rows(found))]
    tables += [markdown_table(_axis_columns(found), _axis_rows(found))] if found.granulated else []
    return "\n".join(tables) + markdown_list([_title(found), *correlation_notes(found)])


def correlations_csv(found: Correlations) -> str:
    """A row per metric and scope: `pooled`, `group`, `axis` (tau with only that one varying) and `granulated`."""
    rows = [_csv_row(row) for row in found.rows]
    rows += [row for granulated in found.granulated for row in _csv_axes(granulated)]
    return csv_text(_CSV_COLUMNS, rows)


def correlations_json(found: Correlations) -> str:
    """Everything, for machines."""
    joined = found.joined
    document = {
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
    return json_text(document)


_AXIS_TITLE = "granulated: mean tau with one axis varying and the others fixed (cells, n)"


def _title(found: Correlations) -> str:
    return f"against {found.y}, {found.better} is better · {len(found.joined.known.rows)} models"


def _given(found: Correlations) -> list[str]:
    return [f"tau given {found.params}", f"rho given {found.params}"] if found.params else []


def _columns(found: Correlations) -> list[str]:
    return [*_COLUMNS, *_given(found), _CLAIM]


def _rows(found: Correlations) -> list[list[str]]:
    return [
        [
            row.x,
            "all" if row.group is None else row.group,
            str(row.n),
            *_shown(row.correlation.tau),
            *_shown(row.correlation.rho),
            *(_partial(row) if found.params else []),
            row.as_claimed or _MISSING,
        ]
        for row in found.rows
        if row.correlation
    ]


def _shown(coefficient: Coefficient) -> list[str]:
    interval = coefficient.interval
    shown = f"{interval[0]:z.2f} to {interval[1]:z.2f}" if interval else _MISSING
    return [f"{coefficient.value:z.2f}", f"{coefficient.p:.2g}", shown]


def _partial(row: CorrelationRow) -> list[str]:
    if row.partial is None:
        return [_MISSING, _MISSING]
    fewer = f" (n {row.partial.n})" if row.partial.n < row.n else ""
    return [_MISSING if value is None else f"{value:z.2f}{fewer}" for value in (row.partial.tau, row.partial.rho)]


def _axis_columns(found: Correlations) -> list[str]:
    return ["metric", "mean", *(axis.axis for axis in found.granulated[0].axes)]


def _axis_rows(found: Correlations) -> list[list[str]]:
    return [[g.x, figure(g.tau), *map(_axis, g.axes)] for g in found.granulated]


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

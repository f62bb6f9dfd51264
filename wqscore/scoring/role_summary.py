"""A model's matrices role by role: how many there are, how many fits count, and the median of each metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np

from wqscore.metrics.registry import MATRIX_METRICS
from wqscore.presets.preset import Preset
from wqscore.scoring.layer_score import LayerScore
from wqscore.scoring.summary import value_counts


@dataclass(frozen=True)
class RoleSummary:
    """The matrices of one role.

    Attributes:
        role: the role.
        counted: whether the role belongs in the model's averages.
        n_matrices: how many were scored.
        n_fitted: those of them with a finite fit.
        n_ok: those of them with the verdict `ok`.
        medians: by metric, over the matrices that have a value; metrics without one are left out.
        lowest: smallest value by metric.
        highest: largest value by metric.
    """

    role: str
    counted: bool
    n_matrices: int
    n_fitted: int
    n_ok: int
    medians: Mapping[str, float]
    lowest: Mapping[str, float]
    highest: Mapping[str, float]


def summarise_roles(layers: Sequence[LayerScore], metrics: Sequence[str], preset: Preset) -> tuple[RoleSummary, ...]:
    """Summarise the scored matrices by role, in the order of their first matrices.

    Args:
        layers: the scored matrices.
        metrics: the metrics that they have; those of whole models are left out.
        preset: says which roles belong in averages.
    """
    by_role: dict[str, list[LayerScore]] = {}
    for row in layers:
        by_role.setdefault(row.matrix.role, []).append(row)
    names = [name for name in metrics if name in MATRIX_METRICS]
    return tuple(_role(role, rows, names, preset) for role, rows in by_role.items())


def _role(role: str, rows: Sequence[LayerScore], metrics: Sequence[str], preset: Preset) -> RoleSummary:
    fitted = [row for row in rows if row.fit is not None]
    values = {}
    for name in metrics:
        counted = fitted if MATRIX_METRICS[name].needs_fit else rows
        found = [row.metrics[name] for row in counted if value_counts(name, row.metrics[name], row.flags, preset)]
        if found and isfinite(median := float(np.median(found))):
            values[name] = (median, min(found), max(found))
    medians, lowest, highest = ({name: each[place] for name, each in values.items()} for place in range(3))
    n_ok = sum(row.verdict == "ok" for row in rows)
    counts = preset.matrices.averages(role)
    return RoleSummary(role, counts, len(rows), len(fitted), n_ok, medians, lowest, highest)

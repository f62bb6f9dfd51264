"""The matrices of a baseline, for a comparison pair by pair as `wqscore rank` makes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from wqscore.evidence.kinship import TELLING, Matrix, Traits
from wqscore.gating.fields import field, finite
from wqscore.matrices.matching import canonical_name
from wqscore.metrics.registry import MATRIX_METRICS
from wqscore.presets.preset import Preset
from wqscore.ranking.differences import Measured
from wqscore.ranking.pairing import numbering_of
from wqscore.scoring.role_draws import MatrixKey
from wqscore.scoring.summary import value_counts


def measured_rows(model: Mapping[str, Any], metric: str, value: float, preset: Preset) -> Measured | str:
    """A metric's value of each matrix that counts.

    Args:
        model: one model of a score or ranking.
        metric: a metric of matrices.
        value: the number that ranks, from the model's summary.
        preset: the preset of the numbers.

    Returns:
        What `differences.difference` compares, or why the rows don't tell it.

    Raises:
        DamagedError: a field is missing or has the wrong type.
    """
    rows = [row for row in field(model, "layers", list) if isinstance(row, dict)]
    found: list[tuple[MatrixKey, float]] = []
    for row in rows:
        if row.get("verdict") == "skipped":
            continue
        number = finite(row.get(metric), metric)
        if _belongs(row, metric, preset) and value_counts(metric, number, field(row, "flags", list), preset):
            found.append((_key(row), number))
    entry = field(field(model, "summary", dict), metric, dict)
    if len(found) != field(entry, "count", int):
        return f"its file doesn't tell which matrices count in {metric}"
    found.sort(key=lambda each: each[0])
    is_sum = MATRIX_METRICS[metric].summed
    return Measured(
        value=value,
        headline="sum" if is_sum else preset.headline,
        keys=tuple(key for key, _ in found),
        values=np.array([number for _, number in found]),
        delta=0.0,
        numbering=numbering_of(field(row, "name", str) for row in rows if row.get("kind") != "not-a-matrix"),
    )


def traits_of_rows(model: Mapping[str, Any]) -> Traits:
    """What is compared of a model to tell what makes it differ from another; a file tells no run and no adapter.

    Raises:
        DamagedError: a field is missing or has the wrong type.
    """
    rows = [row for row in field(model, "layers", list) if isinstance(row, dict) and row.get("verdict") != "skipped"]
    matrices = {}
    for row in rows:
        _, name, sizes = _key(row)
        numbers = {metric: finite(row[metric], metric) for metric in TELLING if metric in row}
        matrices[(name, *sizes)] = Matrix(field(row, "dtype", str), numbers)
    parameters, repo, revision = (model.get(name) for name in ("params", "repo", "revision"))
    return Traits(
        parameters if isinstance(parameters, int) else None,
        repo if isinstance(repo, str) else None,
        revision if isinstance(revision, str) else None,
        "",
        "",
        matrices,
    )


def _belongs(row: Mapping[str, Any], metric: str, preset: Preset) -> bool:
    """Whether a matrix belongs in a model's number."""
    if MATRIX_METRICS[metric].summed:
        return True
    return row.get("verdict") != "too-small" and preset.matrices.averages(field(row, "role", str))


def _key(row: Mapping[str, Any]) -> MatrixKey:
    """As `role_draws.matrix_key`."""
    slices, height, width = (field(row, name, int) for name in ("slices", "rows", "columns"))
    return field(row, "role", str), canonical_name(field(row, "name", str)), (slices, height, width)

"""The rows of `ranking.csv` and `layers.csv`: the columns of the output contract, for every format."""

from __future__ import annotations

from math import isfinite

from wqscore.layers import LayerScore
from wqscore.matrices.weight_matrix import SkippedTensor
from wqscore.metrics.registry import METRICS
from wqscore.presets import Preset
from wqscore.ranking import RankedModel, Ranking
from wqscore.scoring import ModelScore

#: A cell: `None` where there is no value. Never NaN, never an infinity.
Cell = str | int | float | None


def number(value: float, count: bool = False) -> int | float | None:
    """A number for people and machines: `None` for what is not one, whole where it counts something."""
    if not isfinite(value):
        return None
    return int(value) if count and value.is_integer() else value


def layer_columns(preset: Preset) -> list[str]:
    """The header of `layers.csv`."""
    names = ["model", "name", "role", "rows", "columns", *METRICS, "verdict", "flags", "reason"]
    return [preset.columns.get(name, name) for name in names]


def layer_rows(score: ModelScore) -> list[list[Cell]]:
    """A row per matrix and per skipped tensor, in the model's order."""
    return [_layer_row(score, row) for row in score.rows]


def ranking_columns(ranking: Ranking) -> list[str]:
    """The header of `ranking.csv`; the metric that ranks comes before the others."""
    head = ["rank", "model", "revision", "family", "params", "coverage", "n_matrices", "n_fitted"]
    names = [ranking.preset.columns.get(name, name) for name in _metric_order(ranking)]
    suffixes = ("", "_mean", "_param_mean", "_count")
    return [*head, *(f"{name}{suffix}" for name in names for suffix in suffixes), "status", "reason"]


def ranking_rows(ranking: Ranking) -> list[list[Cell]]:
    """A row per model, in the ranking's order."""
    return [_ranking_row(model, ranking) for model in ranking.models]


def _metric_order(ranking: Ranking) -> list[str]:
    return sorted(METRICS, key=lambda name: name != ranking.by.name)


def _layer_row(score: ModelScore, row: LayerScore | SkippedTensor) -> list[Cell]:
    label = score.ref.label
    if isinstance(row, SkippedTensor):
        sides = _sides(*row.shape, score.preset) if len(row.shape) == 2 else (None, None)
        return [label, row.name, row.role, *sides, *(None for _ in METRICS), "skipped", None, row.reason]
    sides = _sides(row.matrix.rows, row.matrix.columns, score.preset)
    values = [number(row.metrics[name], metric.count) for name, metric in METRICS.items()]
    flags = ";".join(row.flags) or None
    return [label, row.matrix.name, row.matrix.role, *sides, *values, row.verdict, flags, row.reason or None]


def _sides(rows: int, columns: int, preset: Preset) -> tuple[int, int]:
    return (max(rows, columns), min(rows, columns)) if preset.larger_side_first else (rows, columns)


def _ranking_row(model: RankedModel, ranking: Ranking) -> list[Cell]:
    order = _metric_order(ranking)
    tail: list[Cell] = [model.status, model.reason or None]
    if model.score is None:
        return [None, model.ref.label, None, None, None, None, None, None, *(None for _ in order * 4), *tail]
    score, summary = model.score, model.score.summary
    head: list[Cell] = [model.rank, score.ref.label, score.revision, score.family or None, score.parameters]
    head += [number(summary.coverage), summary.n_matrices, summary.n_fitted]
    cells: list[Cell] = []
    for name in order:
        statistic, count = summary.statistics[name], METRICS[name].count
        headline = summary.headline(name, ranking.preset)
        cells += [number(headline, count), number(statistic.mean), number(statistic.weighted_mean), statistic.count]
    return [*head, *cells, *tail]

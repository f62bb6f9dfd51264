"""Tidy tables: a row for each number, of matrices or of models."""

from __future__ import annotations

from wqscore.metrics.registry import MATRIX_METRICS
from wqscore.ranking.ranking import Ranking
from wqscore.rendering.numbers import Cell, number
from wqscore.rendering.rows import Rows
from wqscore.reports.tables import of_matrices, summary_metrics
from wqscore.scoring.model_score import ModelScore

#: The header of the table of matrices; `layer` is the number of the layer.
MATRIX_COLUMNS = ("model", "matrix", "role", "layer", "metric", "value")
#: The header of the table of models.
MODEL_COLUMNS = ("model", "metric", "statistic", "value", "lo", "hi")
#: The statistics of a metric over matrices, by the names that they have in `ranking.json`.
_STATISTICS = {"median": "median", "mean": "mean", "param_mean": "weighted_mean", "count": "count"}


def score_tidy(score: ModelScore) -> Rows:
    """A row for each metric of each matrix; skipped tensors have none."""
    rows: list[list[Cell]] = [
        [score.ref.label, row.matrix.name, row.matrix.role, row.matrix.depth, label, number(row.metrics[name])]
        for row in score.layers
        for name, label in ((name, score.preset.label(name)) for name in of_matrices(score.metrics))
    ]
    words = frozenset({"model", "matrix", "role", "metric"})
    return Rows(MATRIX_COLUMNS, rows, words, frozenset({"role", "metric"}), frozenset({"layer"}))


def ranking_tidy(ranking: Ranking) -> Rows:
    """A row for each statistic of each metric of each scored model, with the interval of the one that ranks.

    The statistics are median, mean, mean weighted by parameters and count of a metric of matrices, their sum where
    that ranks, and the value of a metric of the whole model.
    """
    rows = [
        [score.ref.label, ranking.preset.label(name), *cells]
        for score in ranking.scores
        for name in summary_metrics(ranking)
        for cells in _statistics(score, name)
    ]
    words = frozenset({"model", "metric", "statistic"})
    return Rows(MODEL_COLUMNS, rows, words, frozenset({"metric", "statistic"}))


def _statistics(score: ModelScore, metric: str) -> list[list[Cell]]:
    """The name, the value and the interval of each statistic."""
    summary = score.summary
    found = summary.statistics.get(metric)
    if found is None:
        return [["value", number(summary.headline(metric, score.preset)), None, None]]
    lo, hi = found.interval or (None, None)
    rows: list[list[Cell]] = [
        [name, number(getattr(found, field)), *((lo, hi) if name == score.preset.headline else (None, None))]
        for name, field in _STATISTICS.items()
    ]
    return [*rows, *([["sum", number(found.total), None, None]] if MATRIX_METRICS[metric].summed else [])]

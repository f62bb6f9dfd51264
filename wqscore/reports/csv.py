"""The CSV files of a report other than `ranking.csv`."""

from __future__ import annotations

from collections.abc import Sequence

from wqscore.ranking.ranking import Ranking
from wqscore.rendering.csv import csv_text
from wqscore.reports.tables import PAIR_COLUMNS, layer_columns, layer_rows, pair_rows
from wqscore.scoring.model_score import ModelScore


def pairs_csv(ranking: Ranking) -> str:
    """The text of `pairs.csv`: a row per pair of models ranked together, and how they differ over their layers."""
    return csv_text(PAIR_COLUMNS, pair_rows(ranking))


def layers_csv(scores: Sequence[ModelScore], header: Sequence[str] | None = None) -> str:
    """The text of `layers.csv`: a row per matrix and per skipped tensor of each model.

    Args:
        scores: models scored with one preset.
        header: the columns; required if `scores` is empty.
    """
    columns = header if header is not None else layer_columns(scores[0].preset, scores[0].metrics, scores[0].gauge)
    return csv_text(columns, (row for score in scores for row in layer_rows(score)))

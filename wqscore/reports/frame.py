"""The two tables as pandas data frames."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from wqscore.ranking.ranking import Ranking
from wqscore.reports.tables import layer_columns, layer_rows, ranking_columns, ranking_rows
from wqscore.scoring.model_score import ModelScore


def ranking_frame(ranking: Ranking) -> pd.DataFrame:
    """`ranking.csv` as a table; what is not defined is missing."""
    return pd.DataFrame(ranking_rows(ranking), columns=ranking_columns(ranking))


def layers_frame(scores: Sequence[ModelScore]) -> pd.DataFrame:
    """`layers.csv` as a table; what is not defined is missing."""
    rows = [row for score in scores for row in layer_rows(score)]
    return pd.DataFrame(rows, columns=layer_columns(scores[0].preset, scores[0].metrics))

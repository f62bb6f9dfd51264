"""The CSV files of a ranking."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from io import StringIO

from wqscore.ranking.ranking import Ranking
from wqscore.rendering.csv_escaping import guarded
from wqscore.rendering.numbers import Cell
from wqscore.reports.tables import layer_columns, layer_rows, pair_columns, pair_rows, ranking_columns, ranking_rows
from wqscore.scoring.model_score import ModelScore


def ranking_csv(ranking: Ranking) -> str:
    """The text of `ranking.csv`: a row per model."""
    return csv_text(ranking_columns(ranking), ranking_rows(ranking))


def pairs_csv(ranking: Ranking) -> str:
    """The text of `pairs.csv`: a row per two models that share ranks, and how they differ over their layers."""
    return csv_text(pair_columns(), pair_rows(ranking))


def layers_csv(scores: Sequence[ModelScore], header: Sequence[str] | None = None) -> str:
    """The text of `layers.csv`: a row per matrix and per skipped tensor of each model.

    Args:
        scores: models scored with one preset.
        header: the columns, if there may be no model to tell them.
    """
    columns = header if header is not None else layer_columns(scores[0].preset, scores[0].metrics)
    return csv_text(columns, (row for score in scores for row in layer_rows(score)))


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """Rows as CSV text with a header and Unix line ends; an empty cell is a missing value, and no text a formula."""
    text = StringIO(newline="")
    # The writer quotes what its own line end consists of: with both characters, every reader sees the same lines.
    writer = csv.writer(_UnixLines(text), lineterminator="\r\n")
    writer.writerow(map(guarded, columns))
    # A float is written in its shortest form that reads back as the same float.
    writer.writerows([guarded(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    return text.getvalue()


class _UnixLines:
    """Takes one line at a time, as the writer gives them, and ends it with a line feed."""

    def __init__(self, text: StringIO) -> None:
        self._text = text

    def write(self, line: str) -> None:
        """Write one line."""
        self._text.write(line.removesuffix("\r\n") + "\n")

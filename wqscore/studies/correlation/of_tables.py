"""`wqscore.correlate`: join a table of scores with what is known of the models, and correlate them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict, Unpack

from wqscore.errors import nearest
from wqscore.ranking.ranking import Ranking
from wqscore.studies.correlation.columns import Better
from wqscore.studies.correlation.correlate import Correlations
from wqscore.studies.correlation.correlate import correlate as correlate_joined
from wqscore.studies.known.benchmarks import BenchmarkTable
from wqscore.studies.known.given_table import given_table
from wqscore.studies.known.known import choose_known
from wqscore.studies.known.score_table import join, single_table

if TYPE_CHECKING:
    import pandas as pd


class ColumnKeywords(TypedDict, total=False):
    """Which columns to compare, and within which groups.

    Attributes:
        x: the metrics; by default every metric with a claim that is there.
        group: the column of groups; `family` if there is one.
        axes: two or more columns of hyper-parameters, for the granulated correlation.
        params: the column of parameter counts, the baseline; `params`, or `n_params`, if there is one.
        key: the columns that name a model in both tables; `model` unless given.
    """

    x: Sequence[str]
    group: str | None
    axes: Sequence[str]
    params: str | None
    key: Sequence[str]


def correlate(
    scores: Ranking | pd.DataFrame | str | os.PathLike[str],
    known: BenchmarkTable | pd.DataFrame | str | os.PathLike[str] | None = None,
    *,
    y: str | None = None,
    better: Better = "higher",
    seed: int = 0,
    **columns: Unpack[ColumnKeywords],
) -> Correlations:
    """Correlate metrics with results you already have, as `wqscore correlate` does.

    Args:
        scores: a ranking, a data frame with a row for each model, or a CSV file of one.
        known: what is known of the models: a data frame or CSV file, or `wqscore.known`'s result. If `None`, `scores`
            has both.
        y: the column of results; needed if it could be several.
        better: which way y is better.
        seed: the seed of the random orders behind p-values.
        **columns: x, group, axes, params, key: the columns of the tables, as `ColumnKeywords` says.

    Raises:
        UsageError: a table can't be read or joined, a column is missing or must be named, or there are fewer than 3
            models.
        TypeError: an unknown keyword, or something that is no table.

    Example:
        `wqscore.correlate(ranking, "results.csv", y="accuracy").to_frame()`
    """
    for name in columns:
        if name not in ColumnKeywords.__annotations__:
            raise TypeError(f"unexpected keyword {name!r}: {nearest(name, ColumnKeywords.__annotations__)}")
    key = _names(columns.get("key")) or ["model"]
    table = given_table(scores, "the scores")
    if known is None:
        joined = single_table(table, key)
    else:
        figures = given_table(known, "what is known")
        if isinstance(scores, Ranking) and key == ["model"]:
            chosen = choose_known(figures, [model.ref for model in scores.models], y)
            figures, y = chosen.table, chosen.y
        joined = join(table, figures, key)
    return correlate_joined(
        joined,
        _names(columns.get("x")),
        y,
        columns.get("group"),
        _names(columns.get("axes")),
        columns.get("params"),
        better,
        seed,
    )


def _names(value: str | Sequence[str] | None) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())

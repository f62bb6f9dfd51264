"""Which columns a study is of where nobody says: the registry's metrics, the one that is known, the usual names."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from wqscore.errors import UsageError
from wqscore.metrics.metric import Metric
from wqscore.metrics.registry import METRICS
from wqscore.printable import listed
from wqscore.studies.score_table import LISTED, Joined, ScoreTable

#: As in a ranking.csv.
DEFAULT_GROUP, DEFAULT_PARAMS = "family", "params"
#: Columns of a ranking.csv that hold numbers and are nothing to be predicted.
_BOOKKEEPING = frozenset({"rank", "coverage", "n_matrices", "n_fitted", DEFAULT_PARAMS})


def metric_of(column: str) -> Metric | None:
    """The registry's metric behind a column, which may be a mean of it over matrices.

    Example:
        >>> metric_of("alpha_param_mean").name, metric_of("accuracy")
        ('alpha', None)
    """
    return METRICS.get(column) or METRICS.get(column.removesuffix("_mean").removesuffix("_param"))


def metric_columns(scores: ScoreTable, y: str) -> tuple[str, ...]:
    """The columns that are a metric's headline value.

    Raises:
        UsageError: there is none.
    """
    names = tuple(name for name in scores.columns if name in METRICS and name != y)
    if not names:
        raise UsageError(
            f"{scores.source}: no column is a metric of wqscore: name those to try with --x, of "
            f"{listed(scores.columns, LISTED)}"
        )
    return names


def only_known(joined: Joined, taken: Iterable[str | None]) -> str:
    """The one column of numbers among what is known that is nothing else.

    Args:
        joined: the models of both tables.
        taken: columns that are something else.

    Raises:
        UsageError: there is none, or more than one.
    """
    others = {*taken, *_BOOKKEEPING, *METRICS}
    candidates = [name for name in joined.known.columns if name not in others and _is_numbers(joined.known, name)]
    if len(candidates) != 1:
        found = listed(candidates or joined.known.columns, LISTED)
        raise UsageError(f"{joined.known.source}: name the column to compare the metrics with by --y, of {found}")
    return candidates[0]


def parameter_counts(table: ScoreTable, column: str) -> np.ndarray:
    """Parameters of each model, NaN where unknown.

    Raises:
        UsageError: there is no such column, or it holds something else.
    """
    counts = table.numbers(column)
    if (counts <= 0).any():
        raise UsageError(
            f"{table.source}: column {column!r}: no model has {np.nanmin(counts):g} parameters: leave the cell empty"
        )
    return counts


def column_if_there(joined: Joined, column: str) -> str | None:
    """The column if one of the tables has it."""
    return column if column in {*joined.scores.columns, *joined.known.columns} else None


def _is_numbers(table: ScoreTable, column: str) -> bool:
    try:
        return bool(np.isfinite(table.numbers(column)).any())
    except UsageError:
        return False

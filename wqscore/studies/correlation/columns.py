"""The default columns of a study: the registry's metrics, the only column of results, and the usual names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Literal

import numpy as np

from wqscore.errors import UsageError
from wqscore.escaping import listed
from wqscore.metrics.metric import Metric
from wqscore.metrics.registry import METRICS
from wqscore.studies.known.score_table import LISTED, Joined, ScoreTable

Better = Literal["lower", "higher"]

#: Names as in a ranking.csv.
DEFAULT_GROUP, DEFAULT_DEPTH = "family", "depth"
#: Columns of parameter counts: of a ranking.csv, of a landscape.csv.
DEFAULT_PARAMS = ("params", "n_params")
#: Columns of a landscape.csv, and which way each is claimed to be better: flat minima, short moves from the weights'
#: prior, large margins; and of `psi`, curved orbits (Zhao et al., ICLR 2024, §5).
_LANDSCAPE: Mapping[str, Better] = MappingProxyType(
    {
        **dict.fromkeys(("hessian_top", "hessian_trace", "pacgen", "pacgen_bound", "phi"), "lower"),
        **dict.fromkeys(("psi", "margin_median"), "higher"),
    }
)
#: Columns of a ranking.csv with numbers that are not results.
_BOOKKEEPING = frozenset(
    {"rank", "coverage", "n_matrices", "n_fitted", "hidden_size", *DEFAULT_PARAMS, DEFAULT_DEPTH}
)


def metric_of(column: str) -> Metric | None:
    """Return the registry's metric that a column holds, possibly as a mean over matrices.

    Example:
        >>> metric_of("alpha_param_mean").name, metric_of("accuracy")
        ('alpha', None)
    """
    return METRICS.get(column) or METRICS.get(column.removesuffix("_mean").removesuffix("_param"))


def claim_of(column: str) -> Better | None:
    """Return which way a column claims that better models lie; `None` without a claim to measure quality."""
    metric = metric_of(column)
    if metric is not None:
        return metric.better if metric.claims else None
    return _LANDSCAPE.get(column)


def metric_columns(scores: ScoreTable, y: str) -> tuple[str, ...]:
    """Return the columns that are the headline value of a metric that claims to measure quality; without empty ones.

    The others, named by `--x`, are tested all the same: the more are tried, the more agree by chance.

    Raises:
        UsageError: there is none.
    """
    known = [name for name in scores.columns if name in {*METRICS, *_LANDSCAPE} and name != y and claim_of(name)]
    names = tuple(name for name in known if any(scores.words(name))) or tuple(known)
    if not names:
        raise UsageError(
            f"{scores.source}: no column is a metric that claims to measure quality: name the columns to test with "
            f"--x, from {listed(scores.columns, LISTED)}"
        )
    return names


def only_known(joined: Joined, taken: Iterable[str | None]) -> str:
    """Return the only column of numbers in the table of results that has no other use.

    Args:
        joined: the models of both tables.
        taken: columns with another use.

    Raises:
        UsageError: there is none, or more than one.
    """
    candidates = known_columns(joined.known, taken)
    if len(candidates) != 1:
        found = listed(candidates or joined.known.columns, LISTED)
        raise UsageError(f"{joined.known.source}: name the column to compare the metrics with by --y, from {found}")
    return candidates[0]


def known_columns(known: ScoreTable, taken: Iterable[str | None]) -> list[str]:
    """Return the columns of numbers that may be published results.

    Args:
        known: the table.
        taken: columns with another use.
    """
    others = {*taken, *_BOOKKEEPING, *METRICS}
    return [name for name in known.columns if name not in others and _is_numbers(known, name)]


def depth_column(joined: Joined, taken: Iterable[str | None]) -> str | None:
    """Return the column of depths, in layers, if one of the tables has it and it has no other use."""
    column = None if DEFAULT_DEPTH in set(taken) else column_if_there(joined, DEFAULT_DEPTH)
    return column if column and _is_numbers(joined.holding(column), column) else None


def parameter_counts(table: ScoreTable, column: str) -> np.ndarray:
    """Return the parameters of each model, NaN where unknown.

    Raises:
        UsageError: there is no such column, or a cell is not a positive number.
    """
    counts = table.numbers(column)
    if (counts <= 0).any():
        raise UsageError(
            f"{table.source}: column {column!r}: no model has {np.nanmin(counts):g} parameters: leave the cell empty"
        )
    return counts


def column_if_there(joined: Joined, *columns: str) -> str | None:
    """Return the first of the columns that one of the tables has."""
    there = {*joined.scores.columns, *joined.known.columns}
    return next((column for column in columns if column in there), None)


def _is_numbers(table: ScoreTable, column: str) -> bool:
    try:
        return bool(np.isfinite(table.numbers(column)).any())
    except UsageError:
        return False

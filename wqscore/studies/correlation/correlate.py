"""Do the metrics say anything about what is known? Rank correlations pooled, within groups, and along axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from wqscore.errors import UsageError
from wqscore.results import Result
from wqscore.studies.correlation.columns import (
    DEFAULT_GROUP,
    DEFAULT_PARAMS,
    column_if_there,
    depth_column,
    metric_columns,
    metric_of,
    only_known,
    parameter_counts,
)
from wqscore.studies.correlation.granulated import Granulated, granulate
from wqscore.studies.correlation.row import LEAST_MODELS, CorrelationRow, correlate_row
from wqscore.studies.known.score_table import Joined

#: Beyond, every pair of models in every random order takes minutes.
MOST_MODELS = 2_000
Better = Literal["lower", "higher"]


@dataclass(frozen=True)
class SignFlip:
    """Simpson's paradox: tau has one sign over all models and the other within groups.

    Attributes:
        pooled: over all models.
        flipped: the groups with the other sign.
        groups: how many groups have a sign.
    """

    pooled: CorrelationRow
    flipped: tuple[CorrelationRow, ...]
    groups: int


@dataclass(frozen=True)
class Correlations(Result):
    """The study.

    Attributes:
        y: the column of what is known.
        better: which way it is better.
        group: the column of groups, if any.
        params: the column of parameters, if any.
        tried: the metrics.
        rows: of the baselines, then of each metric: over all models, then by group.
        granulated: each metric along the axes, if there are any.
        flips: the warnings.
        joined: the models behind it, and those left out.
        seed: of the random orders behind the p-values.
        depth: the column of depths, if any.
    """

    y: str
    better: Better
    group: str | None
    params: str | None
    tried: tuple[str, ...]
    rows: tuple[CorrelationRow, ...]
    granulated: tuple[Granulated, ...]
    flips: tuple[SignFlip, ...]
    joined: Joined
    seed: int
    depth: str | None = None

    @property
    def baselines(self) -> tuple[str, ...]:
        """The columns of size: what a metric has to do better than."""
        return tuple(column for column in (self.params, self.depth) if column)

    @property
    def ungrouped(self) -> int:
        """Models that are in no group, though there are groups."""
        return self.joined.holding(self.group).words(self.group).count("") if self.group else 0

    @property
    def tested(self) -> tuple[CorrelationRow, ...]:
        """The rows with a correlation, without the baselines: what the best p-value was picked from."""
        return tuple(row for row in self.rows if row.correlation and row.x not in self.baselines)


def correlate(
    joined: Joined,
    x: Sequence[str] = (),
    y: str | None = None,
    group: str | None = None,
    axes: Sequence[str] = (),
    params: str | None = None,
    better: Better = "higher",
    seed: int = 0,
) -> Correlations:
    """Correlate metrics with what is known of the models, and beside them what size alone says of it.

    Size is the parameters and, where a table has a column `depth`, the layers.

    Args:
        joined: the models of both tables.
        x: columns of the scores; every metric of the registry that is there unless given.
        y: the column of what is known; may be left out if that table has one column of numbers besides.
        group: the column that tells groups apart; `family` if there is one. A model without a group is in none.
        axes: two or more columns of hyper-parameters, for the granulated correlation.
        params: the column of parameter counts; `params` if there is one.
        better: which way y is better.
        seed: of the random orders behind p-values of more than 8 models.

    Raises:
        UsageError: a column is not there or not of numbers, or one is not said that must be, or there are fewer
            than 3 models or more than 2,000.
    """
    if len(axes) == 1:
        raise UsageError(f"a granulated correlation needs two axes or more, not {axes[0]!r} alone: repeat --axis")
    group = group or column_if_there(joined, DEFAULT_GROUP)
    params = params or column_if_there(joined, DEFAULT_PARAMS)
    y = y or only_known(joined, {*x, *axes, group, params})
    tried = tuple(dict.fromkeys(x)) or metric_columns(joined.scores, y)
    known = joined.known.numbers(y)
    sizes = parameter_counts(joined.holding(params), params) if params else None
    groups = _groups(joined.holding(group).words(group)) if group else {}
    columns = {name: joined.scores.numbers(name) for name in tried}
    depth = depth_column(joined, {*tried, y, group, params})
    baselines = {params: sizes} if params and sizes is not None else {}
    baselines |= {depth: joined.holding(depth).numbers(depth)} if depth else {}
    _check_count(known.size, joined.known.source)
    rows: list[CorrelationRow] = []
    for name, values in (baselines | columns).items():
        given = None if name == params else sizes
        expected = _expected(name, better)
        for label, members in [(None, np.arange(known.size)), *groups.items()]:
            chosen = given[members] if given is not None else None
            rows.append(correlate_row(name, label, values[members], known[members], chosen, expected, seed))
    settings = {axis: joined.holding(axis).words(axis) for axis in axes}
    return Correlations(
        y=y,
        better=better,
        group=group,
        params=params,
        tried=tried,
        rows=tuple(rows),
        granulated=tuple(_granulated(name, values, known, settings) for name, values in columns.items() if axes),
        flips=tuple(flip for name in tried if (flip := find_flip([row for row in rows if row.x == name]))),
        joined=joined,
        seed=seed,
        depth=depth,
    )


def find_flip(rows: Sequence[CorrelationRow]) -> SignFlip | None:
    """Compare one metric's sign over all models with that in each group; `None` if none is the other way."""
    pooled = next(row for row in rows if row.group is None)
    within = [row for row in rows if row.group is not None and row.sign]
    flipped = tuple(row for row in within if row.sign == -pooled.sign)
    return SignFlip(pooled, flipped, len(within)) if flipped else None


def _check_count(models: int, source: str) -> None:
    if models < LEAST_MODELS:
        raise UsageError(f"{source}: models to compare: {models}, and {LEAST_MODELS} are the least: add others")
    if models > MOST_MODELS:
        raise UsageError(
            f"{source}: {models:,} rows, more than the {MOST_MODELS:,} models that can be compared: a row per model "
            "is needed, not per matrix"
        )


def _granulated(name: str, values: np.ndarray, known: np.ndarray, axes: dict[str, list[str]]) -> Granulated:
    both = np.flatnonzero(np.isfinite(values) & np.isfinite(known))
    settings = {axis: [words[model] for model in both] for axis, words in axes.items()}
    return granulate(name, values[both], known[both], settings)


def _groups(words: Sequence[str]) -> dict[str, np.ndarray]:
    """The places of each group's models; none where all are of one group, of which the pooled figures tell."""
    if len(set(words)) < 2:
        return {}
    return {name: np.array([word == name for word in words]).nonzero()[0] for name in dict.fromkeys(words) if name}


def _expected(column: str, better: Better) -> Literal[-1, 1] | None:
    metric = metric_of(column)
    if metric is None:
        return None
    return 1 if metric.better == better else -1

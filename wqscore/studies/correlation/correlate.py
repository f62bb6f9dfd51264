"""Do the metrics predict published results? Rank correlations pooled, within groups, and along axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from wqscore.errors import UsageError
from wqscore.results import Result
from wqscore.studies.correlation.columns import (
    DEFAULT_GROUP,
    DEFAULT_PARAMS,
    Better,
    claim_of,
    column_if_there,
    depth_column,
    metric_columns,
    only_known,
    parameter_counts,
)
from wqscore.studies.correlation.granulated import Granulated, granulate
from wqscore.studies.correlation.row import MIN_MODELS, CorrelationRow, correlate_row
from wqscore.studies.correlation.simpson import SignFlip, find_flip
from wqscore.studies.known.score_table import Joined

#: More models would take minutes, as each random order goes through every pair.
MAX_MODELS = 2_000


@dataclass(frozen=True)
class Correlations(Result):
    """The result of a study.

    Attributes:
        y: the column of published results.
        better: which direction of y is better.
        group: the column of groups, if any.
        params: the column of parameters, if any.
        tried: the metrics.
        rows: those of the baselines, then of each metric: over all models, then by group.
        granulated: each metric along the axes, if there are any.
        flips: the warnings: metrics whose sign in groups is another than over all, and not by chance.
        joined: the models, and those left out.
        seed: the seed of the p-values' random orders.
        depth: the column of depths, if any.
        open_flips: metrics with another sign in some group, as chance gives them too.
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
    open_flips: tuple[SignFlip, ...] = ()

    @property
    def baselines(self) -> tuple[str, ...]:
        """The columns of size, which a metric has to beat."""
        return tuple(column for column in (self.params, self.depth) if column)

    @property
    def ungrouped(self) -> int:
        """Number of models without a group, where there are groups."""
        return self.joined.holding(self.group).words(self.group).count("") if self.group else 0

    @property
    def tested(self) -> tuple[CorrelationRow, ...]:
        """The rows with a correlation, without the baselines; the best p-value is chosen among them."""
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
    """Correlate metrics, and size as the baseline, with published results of the models.

    Size is the parameters and, where a table has a column `depth`, the layers.

    Args:
        joined: the models of both tables.
        x: columns of the scores; by default every metric that is there and claims to measure quality.
        y: the column of results; may be `None` if their table has only one column of numbers with no other use.
        group: the column of groups; by default `family` if there is one. A model with an empty cell is in no group.
        axes: two or more columns of hyper-parameters, for the granulated correlation.
        params: the column of parameter counts; by default `params`, or `n_params`, if there is one.
        better: which direction of y is better.
        seed: the seed of the random orders for p-values of more than 8 models.

    Raises:
        UsageError: a column is missing or has cells that are not numbers, a column must be named, or there are fewer
            than 3 or more than 2,000 models.
    """
    if len(axes) == 1:
        raise UsageError(f"a granulated correlation needs two or more axes, not only {axes[0]!r}: repeat --axis")
    group = group or column_if_there(joined, DEFAULT_GROUP)
    params = params or column_if_there(joined, *DEFAULT_PARAMS)
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
    flips = _flips(rows, columns, known, groups, seed)
    settings = {axis: joined.holding(axis).words(axis) for axis in axes}
    return Correlations(
        y=y,
        better=better,
        group=group,
        params=params,
        tried=tried,
        rows=tuple(rows),
        granulated=tuple(_granulated(name, values, known, settings) for name, values in columns.items() if axes),
        flips=tuple(flip for flip in flips if flip.is_evident(len(tried))),
        joined=joined,
        seed=seed,
        depth=depth,
        open_flips=tuple(flip for flip in flips if not flip.is_evident(len(tried))),
    )


def _flips(
    rows: Sequence[CorrelationRow],
    columns: Mapping[str, np.ndarray],
    known: np.ndarray,
    groups: Mapping[str, np.ndarray],
    seed: int,
) -> tuple[SignFlip, ...]:
    found = []
    for name, values in columns.items():
        both = np.isfinite(values) & np.isfinite(known)
        inside = [members[both[members]] for members in groups.values()]
        own = [row for row in rows if row.x == name]
        found.append(find_flip(own, [(values[members], known[members]) for members in inside], seed))
    return tuple(flip for flip in found if flip)


def _check_count(models: int, source: str) -> None:
    if models < MIN_MODELS:
        raise UsageError(f"{source}: models to compare: {models}, fewer than the {MIN_MODELS} needed: add models")
    if models > MAX_MODELS:
        raise UsageError(
            f"{source}: {models:,} rows, more than the {MAX_MODELS:,} models that can be compared: give a row per "
            "model, not per matrix"
        )


def _granulated(name: str, values: np.ndarray, known: np.ndarray, axes: dict[str, list[str]]) -> Granulated:
    both = np.flatnonzero(np.isfinite(values) & np.isfinite(known))
    settings = {axis: [words[model] for model in both] for axis, words in axes.items()}
    return granulate(name, values[both], known[both], settings)


def _groups(words: Sequence[str]) -> dict[str, np.ndarray]:
    """The indices of each group's models; empty where all are in one group, as the pooled figures cover it."""
    if len(set(words)) < 2:
        return {}
    return {name: np.array([word == name for word in words]).nonzero()[0] for name in dict.fromkeys(words) if name}


def _expected(column: str, better: Better) -> Literal[-1, 1] | None:
    claimed = claim_of(column)
    return None if claimed is None else 1 if claimed == better else -1

"""Layer-wise plans from a metric, always beside the uniform plan and one that grows with depth.

A plan is only as good as its metric: `docs/allocate.md` says what the evidence is. ATP (arXiv 2502.14770) reports
that sparsity which simply grows with depth beats plans from metrics; hence the third column.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from math import isfinite
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from wqscore.api.score import score as score_model
from wqscore.api.settings import Settings, changed
from wqscore.errors import CheckpointError, UsageError
from wqscore.metrics.registry import MATRIX_METRICS, find_metric
from wqscore.results import Result, render
from wqscore.scoring.model_score import ModelScore
from wqscore.studies.allocate.formulas import (
    Form,
    evenly,
    learning_rates,
    power_shares,
    sparsities,
    weight_decays,
    whole_shares,
)
from wqscore.studies.allocate.layers import (
    Block,
    Layers,
    Skipped,
    block_list,
    scored_layers,
    table_layers,
)
from wqscore.studies.allocate.signal import SIGNAL
from wqscore.studies.allocate.spread import spread_warning
from wqscore.studies.allocate.unfreeze import choose_matrices
from wqscore.studies.known.given_table import given_table

if TYPE_CHECKING:
    import pandas as pd

    from wqscore.execution.progress import RankProgress
    from wqscore.refs.reference import Model

    Source = Model | ModelScore | pd.DataFrame

Use = Literal["prune", "lr", "wd", "lora", "unfreeze"]
#: The metric that the published code of each use takes.
DEFAULT_BY = {"prune": "alpha_peak", "lr": "alpha_hill", "wd": "alpha_hill", "lora": "alpha_peak", "unfreeze": SIGNAL}
#: Half the range of each use's map, as published (of weight decay: as the learning rate's).
_EPSILON = {"prune": 0.3, "lr": 0.5, "wd": 0.5}

#: No sum of ranks, and no rate, is larger.
_MOST_TOTAL = 1e9


@dataclass(frozen=True)
class PlanOptions:
    """How a metric becomes a plan; each option is of the uses named.

    Attributes:
        epsilon: prune, lr, wd: half the range, as a share of the total; by default .3, .5 and .5.
        most: prune: the largest share of a block to prune.
        least: prune: the smallest share, by default 0; lora: the smallest rank or count, by default 1.
        beta: lora: the power of the metric.
        form: lr: the map.
    """

    epsilon: float | None = None
    most: float = 0.99
    least: float | None = None
    beta: float = 2.5
    form: Form = "linear"


@dataclass(frozen=True)
class PlanRow:
    """What a block, or a matrix, gets.

    Attributes:
        name: the block, or the matrix.
        params: its weights.
        metric: its metric.
        value: what it gets.
        uniform: what it would get if all got the same.
        linear: what it would get if that grew evenly with depth.
        tensors: the tensors that this is about.
    """

    name: str
    params: int
    metric: float
    value: float
    uniform: float
    linear: float
    tensors: tuple[str, ...]


@dataclass(frozen=True)
class Allocation(Result):
    """A layer-wise plan.

    Attributes:
        use: what is planned.
        layers: the matrices that it is made for, and those left out.
        total: the sparsity, the base rate or decay, the sum of ranks, or the share to train.
        options: how the metric became a plan, defaults filled in.
        plan: a row for each block, or each matrix to train or freeze.
        warning: why the plan is no better than the uniform one; `None` where that can't be told from the metric.
    """

    use: Use
    layers: Layers
    total: float
    options: PlanOptions
    plan: tuple[PlanRow, ...]
    warning: str | None

    def to_groups(self) -> str:
        """Of learning rates and weight decays, torch's parameter groups as JSON, by the names of parameters.

        Raises:
            UsageError: it is another use.
        """
        return str(render(self, "groups"))

    def to_axolotl(self) -> str:
        """Of `unfreeze`, the YAML that Axolotl takes.

        Raises:
            UsageError: it is another use.
        """
        return str(render(self, "axolotl"))

    def to_mergekit(self) -> str:
        """Of `prune`, the density per layer as YAML for a merge by mergekit.

        Raises:
            UsageError: it is another use, or the blocks are not all layers of one stack.
        """
        return str(render(self, "mergekit"))


def allocate(
    use: Use,
    source: Source,
    total: float,
    by: str | None = None,
    *,
    settings: Settings | None = None,
    progress: RankProgress | None = None,
    **changes: Any,
) -> Allocation:
    """Plan something layer by layer from a metric, as `wqscore allocate` does.

    Args:
        use: `prune`: the share of weights to prune; `lr`: learning rates; `wd`: weight decays; `lora`: whole numbers,
            such as ranks or experts; `unfreeze`: which matrices to train.
        source: a model as for `score`, its score, or a table of its matrices: a data frame or the path of a .csv file
            with the columns name, block, params and the metric.
        total: the sparsity; the base rate or decay; the sum; or the share of each role's matrices to train.
        by: the metric; by default the one that the published code takes, for `unfreeze` the signal over noise.
        settings: as for `score`.
        progress: receives progress.
        **changes: the fields of `PlanOptions`, and settings by name.

    Raises:
        UsageError: an unknown use, metric or column, or a total that can't be met.
        CheckpointError: the model can't be read, or none of its matrices has the metric.
        TypeError: an unknown keyword.

    Example:
        `wqscore.allocate("prune", "./my-model", 0.5).to_frame()`
    """
    if use not in get_args(Use):
        raise UsageError(f"no such use {use!r}: choose from {', '.join(get_args(Use))}")
    names = {each.name for each in fields(PlanOptions)}
    options = PlanOptions(**{name: changes.pop(name) for name in names & changes.keys()})
    by = by or DEFAULT_BY[use]
    settings = changed(settings, changes)  # type: ignore[arg-type]
    if _is_table(source):
        return plan_layers(use, table_layers(given_table(source, "the layers"), by), total, options)  # type: ignore[arg-type]
    if not isinstance(source, ModelScore):
        wanted = ("num_spikes",) if _of_matrix(by) == SIGNAL else (by,)
        # The draws stay as they are: none enters a plan, but without them the store's rows are others.
        settings = replace(settings, metrics=wanted)
        source = score_model(source, settings=settings, progress=progress)
    layers = scored_layers(source, _checked(by, source.metrics))
    if without := _without_metric(layers):
        raise CheckpointError(without)
    return plan_layers(use, layers, total, options)


def plan_layers(use: Use, layers: Layers, total: float, options: PlanOptions) -> Allocation:
    """Plan for matrices whose metric is known.

    Raises:
        UsageError: no matrix has the metric, or the total can't be met.
    """
    if not 0 < total <= _MOST_TOTAL:
        raise UsageError(f"the total is {total:g}: give a number above 0, at most {_MOST_TOTAL:g}, with --total")
    if without := _without_metric(layers):
        raise UsageError(without)
    options = replace(options, epsilon=_EPSILON.get(use, 0.0) if options.epsilon is None else options.epsilon)
    if options.least is None:
        options = replace(options, least=1.0 if use == "lora" else 0.0)
    plan = _unfrozen(layers, total) if use == "unfreeze" else _planned(use, block_list(layers.layers), total, options)
    blocks = {each.name for each in plan}
    empty = (
        [] if use == "unfreeze" else dict.fromkeys(each.block for each in layers.layers if each.block not in blocks)
    )
    left_out = tuple(Skipped(name, f"none of its matrices has {layers.by}") for name in empty)
    warning = spread_warning(layers.layers, layers.by)
    return Allocation(use, replace(layers, skipped=layers.skipped + left_out), total, options, plan, warning)


def _planned(use: Use, blocks: Sequence[Block], total: float, options: PlanOptions) -> tuple[PlanRow, ...]:
    metric, params = np.array([each.metric for each in blocks]), np.array([float(each.params) for each in blocks])
    value, uniform, linear = _columns(use, metric, params, total, options)
    return tuple(
        PlanRow(
            name=block.name,
            params=block.params,
            metric=block.metric,
            value=value[place].item(),
            uniform=uniform[place].item(),
            linear=linear[place].item(),
            tensors=block.tensors,
        )
        for place, block in enumerate(blocks)
    )


def _columns(
    use: Use, metric: np.ndarray, params: np.ndarray, total: float, options: PlanOptions
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The plan, the uniform one, and the one that grows with depth."""
    epsilon, least = options.epsilon or 0.0, options.least or 0.0
    same = np.full(metric.size, total)
    if use == "prune":
        plans = (sparsities(each, params, total, epsilon, least, options.most) for each in (metric, _depth(metric)))
        value, linear = plans
        return value, same, linear
    if use == "lora":
        if not (float(total).is_integer() and float(least).is_integer()):
            raise UsageError(
                f"the total {total:g} and the least {least:g} are shared in whole numbers: give whole numbers"
            )
        shares = power_shares(metric, total, options.beta)
        all_three = (shares, np.full(metric.size, total / metric.size), evenly(shares, total))
        value, uniform, linear = (whole_shares(each, int(total), int(least)) for each in all_three)
        return value, uniform, linear
    value = (
        learning_rates(metric, total, epsilon, options.form) if use == "lr" else weight_decays(metric, total, epsilon)
    )
    return value, same, evenly(value, total * metric.size)


def _unfrozen(layers: Layers, share: float) -> tuple[PlanRow, ...]:
    known = [each for each in layers.layers if isfinite(each.metric)]
    chosen = choose_matrices(np.array([each.metric for each in known]), [each.role for each in known], share)
    return tuple(
        PlanRow(
            name=each.name,
            params=each.params,
            metric=each.metric,
            value=int(chosen.value[place]),
            uniform=int(chosen.uniform[place]),
            linear=int(chosen.linear[place]),
            tensors=(each.tensor,),
        )
        for place, each in enumerate(known)
    )


def _without_metric(layers: Layers) -> str:
    """Why there is nothing to plan for; empty if there is something."""
    if any(isfinite(each.metric) for each in layers.layers):
        return ""
    reason = f": {layers.skipped[0].name}: {layers.skipped[0].reason}" if layers.skipped else ""
    return f"{layers.model}: no matrix in a numbered layer has {layers.by}{reason}"


def _depth(metric: np.ndarray) -> np.ndarray:
    return np.arange(metric.size, dtype=float)


def _is_table(source: object) -> bool:
    if isinstance(source, ModelScore):
        return False
    if isinstance(source, str | os.PathLike):
        return os.fspath(source).lower().endswith(".csv")
    return hasattr(source, "to_csv")


def _of_matrix(by: str) -> str:
    if by != SIGNAL and find_metric(by).name not in MATRIX_METRICS:
        raise UsageError(f"{by} is of the whole model: choose a metric of matrices with --by")
    return by


def _checked(by: str, computed: Sequence[str]) -> str:
    if _of_matrix(by) != SIGNAL and by not in computed:
        raise UsageError(f"the score has no {by}: compute it too, with metrics=")
    return by

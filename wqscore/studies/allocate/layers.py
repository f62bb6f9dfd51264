"""The matrices that a plan is made for, and the blocks that they form: from a table, or from a scored model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np

from wqscore.checkpoints.decoding import is_update
from wqscore.errors import UsageError
from wqscore.matrices.roles import layer_of
from wqscore.metrics.registry import MATRIX_METRICS
from wqscore.scoring.layer_score import LayerScore
from wqscore.scoring.model_score import ModelScore
from wqscore.scoring.summary import value_counts
from wqscore.studies.allocate.signal import SIGNAL, signal_of
from wqscore.studies.known.score_table import ScoreTable

#: Weights of one matrix, at most: every whole number up to here is a float.
_MOST_PARAMS = 2**53
#: Squares of metrics up to here can be added up.
_MOST_METRIC = 1e100


@dataclass(frozen=True)
class Layer:
    """A matrix.

    Attributes:
        name: its name.
        tensor: the name of the tensor that holds it, as torch calls the parameter.
        block: the block it belongs to.
        role: its role; empty where it is not known.
        params: its weights.
        metric: its metric; NaN without one.
    """

    name: str
    tensor: str
    block: str
    role: str
    params: int
    metric: float


@dataclass(frozen=True)
class Skipped:
    """A matrix that is left out of a plan, or of a block's mean, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Layers:
    """The matrices of a model in order of their blocks' depth.

    Attributes:
        model: the model or the table.
        revision: the commit on the Hub, `None` for files on disk and tables.
        by: the metric.
        layers: the matrices.
        skipped: those left out.
        seed: the seed that the metric was computed with.
    """

    model: str
    revision: str | None
    by: str
    layers: tuple[Layer, ...]
    skipped: tuple[Skipped, ...]
    seed: int = 0


@dataclass(frozen=True)
class Block:
    """Matrices that a plan treats alike.

    Attributes:
        name: the block's name, or the matrix's where each is its own.
        params: the weights of all of them.
        metric: the mean over those that have one.
        tensors: the names of their tensors.
    """

    name: str
    params: int
    metric: float
    tensors: tuple[str, ...]


def table_layers(table: ScoreTable, by: str) -> Layers:
    """The matrices of a table with the columns name, block, params and the metric; role if there is one.

    Raises:
        UsageError: a column is missing, or a cell of it is not a number; a name occurs twice.
    """
    names, blocks = table.words("name"), table.words("block")
    params, metric = table.numbers("params"), table.numbers(by)
    roles = table.words("role") if "role" in table.columns else [""] * len(names)
    if len(set(names)) < len(names):
        doubled = next(name for name in names if names.count(name) > 1)
        raise UsageError(f"{table.source}: {doubled!r} is in several rows of the column 'name': leave one")
    whole = (params > 0) & (params <= _MOST_PARAMS) & (params == np.floor(params))
    if not whole.all():
        row = int(np.argmin(whole))
        raise UsageError(f"{table.source}: row {row + 1} has {params[row]:g} params: give a whole number above 0")
    if (np.abs(metric) > _MOST_METRIC).any():
        raise UsageError(f"{table.source}: column {by!r} has a value beyond ±{_MOST_METRIC:g}: correct it")
    layers = [
        Layer(name, name, block, role, int(count), float(value))
        for name, block, role, count, value in zip(names, blocks, roles, params, metric, strict=True)
    ]
    skipped = tuple(Skipped(each.name, f"no {by}") for each in layers if not isfinite(each.metric))
    return Layers(table.source, None, by, _in_order(layers), skipped)


def scored_layers(score: ModelScore, by: str) -> Layers:
    """The matrices of a scored model that belong in its averages and in a numbered layer.

    Args:
        score: the model.
        by: a metric of a matrix that was computed, or `signal`, which needs none.
    """
    layers, skipped = [], [Skipped(each.name, each.reason) for each in score.skipped if each.kind == "unread"]
    for row in score.layers:
        block, reason = layer_of(row.matrix.name), _left_out(row, score)
        if block is None or reason:
            skipped.append(Skipped(row.matrix.name, reason or "it is in no numbered layer"))
            continue
        value = _value(row, score, by)
        if not isfinite(value):
            skipped.append(Skipped(row.matrix.name, f"no {by}: {row.reason or 'it is not defined here'}"))
        matrix = row.matrix
        layers.append(Layer(matrix.name, matrix.tensor.name, block, matrix.role, matrix.parameters, value))
    return Layers(score.ref.label, score.revision, by, _in_order(layers), tuple(skipped), score.seed)


def block_list(layers: Sequence[Layer]) -> list[Block]:
    """The blocks in order; one without any metric is left out."""
    grouped: dict[str, list[Layer]] = {}
    for layer in layers:
        grouped.setdefault(layer.block, []).append(layer)
    made = []
    for name, members in grouped.items():
        known = [each.metric for each in members if isfinite(each.metric)]
        if known:
            tensors = tuple(dict.fromkeys(each.tensor for each in members))
            made.append(Block(name, sum(each.params for each in members), float(np.mean(known)), tensors))
    return made


def _left_out(row: LayerScore, score: ModelScore) -> str:
    if not score.preset.matrices.averages(row.matrix.role):
        return f"its role is {row.matrix.role}"
    if row.verdict == "too-small" and not is_update(row.matrix.tensor):
        return row.reason
    return ""


def _value(row: LayerScore, score: ModelScore, by: str) -> float:
    if by == SIGNAL:
        return signal_of(row.spectrum)
    if MATRIX_METRICS[by].needs_fit and row.fit is None:
        return float("nan")
    value = row.metrics[by]
    counts = value_counts(by, value, row.flags, score.preset) and abs(value) <= _MOST_METRIC
    return value if counts else float("nan")


def _in_order(layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """Stack after stack as they come, such as an encoder and a decoder, and each by the number of its block."""
    stems = list(dict.fromkeys(_stem(each.block)[0] for each in layers))
    place = {stem: index for index, stem in enumerate(stems)}
    return tuple(sorted(layers, key=lambda each: (place[_stem(each.block)[0]], _stem(each.block)[1])))


def _stem(block: str) -> tuple[str, int]:
    """A block's name without its number at the end, and the number; 0 without one."""
    stem = block.rstrip("0123456789")
    number = block[len(stem) :]
    return (stem, int(number)) if number.isascii() and number else (block, 0)

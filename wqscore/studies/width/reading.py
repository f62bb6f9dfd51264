"""Read the tensors of blocks and attentions, each once, and measure what they hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from wqscore.checkpoints.tensor import Tensor
from wqscore.execution.progress import ScoreProgress
from wqscore.execution.resources import Resources
from wqscore.execution.threads import Job
from wqscore.matrices.weight_matrix import WeightMatrix
from wqscore.planning.peak_memory import held
from wqscore.studies.grouped import run_grouped
from wqscore.studies.width.blocks import Block, Projection
from wqscore.studies.width.heads import NOT_FINITE, Attention, Head, head_ranks
from wqscore.studies.width.merging import Merged, merge
from wqscore.studies.width.neurons import Neurons, Rays

#: Arrays of a tensor's shape in float32 that measuring holds beside it at its peak.
_ARRAYS = 3
_FLOAT32 = np.dtype(np.float32).itemsize
Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Measured:
    """A block's neurons after merging.

    Attributes:
        block: the block.
        merged: what is left at each tolerance; empty where it could not be measured.
        nearest: the largest cosine of the incoming weights of two neurons.
        reason: why there are no numbers; empty where there are.
    """

    block: Block
    merged: tuple[Merged, ...]
    nearest: float
    reason: str = ""


@dataclass(frozen=True)
class _Task:
    """Something to measure, and the tensors that it takes."""

    tensors: tuple[Tensor, ...]
    measure: Callable[[Arrays], Sequence[Any]]


def measured(
    blocks: Sequence[Block],
    attentions: Sequence[Attention],
    tolerances: Sequence[float],
    is_chain: bool,
    resources: Resources,
    progress: ScoreProgress | None = None,
) -> tuple[list[Measured], list[list[Head]]]:
    """Read and measure blocks and attentions; what shares a tensor is measured together, so that each is read once.

    Args:
        blocks: the blocks, in order where they are one chain.
        attentions: the attentions.
        tolerances: ascending.
        is_chain: whether each block's outputs are the next one's neurons.
        resources: threads and memory.
        progress: called as work is done.

    Returns:
        The blocks' widths and the attentions' heads, in the given orders; the same whatever the resources are.

    Raises:
        CheckpointError: a file changed or vanished meanwhile.
    """
    chained = _chained(blocks, is_chain)
    tasks = _tasks(chained, attentions, tolerances)
    groups = _sharing(tasks)
    jobs = [_job([tasks[place] for place in group], _all(tasks, group)) for group in groups]
    amounts = [_amounts(_all(tasks, group)) for group in groups]
    found = run_grouped(groups, jobs, resources, amounts, progress if groups else None)
    of_blocks = [each for place in range(len(chained)) for each in found[place]]
    return of_blocks, [list(found[len(chained) + place]) for place in range(len(attentions))]


def read_together(
    blocks: Sequence[Block], attentions: Sequence[Attention], is_chain: bool
) -> list[tuple[list[Tensor], int]]:
    """The tensors that are read together, and the bytes that this and the work on them take; the most bytes first."""
    tasks = _tasks(_chained(blocks, is_chain), attentions, ())
    found = [_all(tasks, group) for group in _sharing(tasks)]
    return [(tensors, _memory(tensors)) for tensors in found]


def neurons_of(block: Block, arrays: Arrays) -> Neurons:
    """A block's neurons from the values of its tensors, by name."""
    out = incoming(block.out, arrays)
    return Neurons(
        into=_rays(block.into, arrays),
        outgoing=out,
        activation=block.activation,
        up=_rays(block.up, arrays) if block.up else None,
        folds=block.out.bias is not None,
        unit_roundoff=max(each.matrix.tensor.dtype.unit_roundoff for each in block.projections[:-1]),
    )


def incoming(projection: Projection, arrays: Arrays) -> np.ndarray:
    """A projection's weights, a row for each neuron."""
    return _rows(projection.matrix, projection.axis, arrays)


def _rows(matrix: WeightMatrix, axis: int, arrays: Arrays) -> np.ndarray:
    """A matrix with an axis of it first."""
    values = _as_float(matrix.values(arrays[matrix.tensor.name])[0])
    return values if axis == 0 else values.T


def _rays(projection: Projection, arrays: Arrays) -> Rays:
    weights = incoming(projection, arrays)
    bias = np.zeros(len(weights), weights.dtype)
    if projection.bias is not None:
        bias = _as_float(arrays[projection.bias.name][projection.bias_part])
    return Rays(np.concatenate([weights, bias[:, None]], axis=1))


def _as_float(values: np.ndarray) -> np.ndarray:
    return np.asarray(values if values.dtype == np.float64 else values.astype(np.float32, copy=False))


def _chained(blocks: Sequence[Block], is_chain: bool) -> list[Sequence[Block]]:
    """The blocks that are measured one after the other: all of one chain, else each by itself."""
    return [blocks] if is_chain and blocks else [[block] for block in blocks]


def _tasks(
    chained: Sequence[Sequence[Block]], attentions: Sequence[Attention], tolerances: Sequence[float]
) -> list[_Task]:
    return [
        *(_Task(_tensors(each), partial(_chain, each, tolerances)) for each in chained),
        *(_Task(each.tensors, partial(_heads, each)) for each in attentions),
    ]


def _tensors(blocks: Sequence[Block]) -> tuple[Tensor, ...]:
    return tuple(
        {tensor.name: tensor for block in blocks for each in block.projections for tensor in each.tensors}.values()
    )


def _sharing(tasks: Sequence[_Task]) -> list[list[int]]:
    """The places of tasks that share a tensor, directly or through others; those with the most bytes first."""
    groups: list[tuple[set[str], list[int]]] = []
    owner: dict[str, tuple[set[str], list[int]]] = {}
    for place, task in enumerate(tasks):
        names = {tensor.name for tensor in task.tensors}
        group: tuple[set[str], list[int]] = names, [place]
        for other in {id(owner[name]): owner[name] for name in names if name in owner}.values():
            group = group[0] | other[0], [*other[1], *group[1]]
            groups.remove(other)
        groups.append(group)
        owner |= dict.fromkeys(group[0], group)
    sharing = [sorted(places) for _, places in groups]
    return sorted(sharing, key=lambda group: -sum(tensor.nbytes for tensor in _all(tasks, group)))


def _all(tasks: Sequence[_Task], group: Sequence[int]) -> list[Tensor]:
    """The tensors of some tasks, each once."""
    return list({tensor.name: tensor for place in group for tensor in tasks[place].tensors}.values())


def _amounts(tensors: Sequence[Tensor]) -> tuple[int, int, int]:
    weights = [tensor for tensor in tensors if len(tensor.shape) > 1]
    return len(weights), sum(tensor.nbytes for tensor in tensors), sum(tensor.parameters for tensor in weights)


def _job(tasks: Sequence[_Task], tensors: Sequence[Tensor]) -> Job[list[Sequence[Any]]]:
    return Job(partial(_read, tensors), partial(_measure, tasks), _memory(tensors), tensors[0].name)


def _memory(tensors: Sequence[Tensor]) -> int:
    return sum(map(held, tensors)) + _ARRAYS * _FLOAT32 * sum(tensor.parameters for tensor in tensors)


def _read(tensors: Sequence[Tensor]) -> dict[str, np.ndarray]:
    return {tensor.name: tensor.read() for tensor in tensors}


def _measure(tasks: Sequence[_Task], arrays: Arrays) -> list[Sequence[Any]]:
    return [task.measure(arrays) for task in tasks]


def _chain(blocks: Sequence[Block], tolerances: Sequence[float], arrays: Arrays) -> list[Measured]:
    """Measure blocks of which each one's outputs are the next one's neurons, narrowed by what was merged before."""
    found: list[Measured] = []
    neurons: Neurons | None = None
    for block in blocks:
        own = neurons_of(block, arrays)
        if neurons is not None and found[-1].merged:
            own = _after(own, neurons, found[-1].merged[0])
        if not _is_finite(own):
            found.append(Measured(block, (), np.nan, NOT_FINITE))
        else:
            merged, nearest = merge(own, tolerances)
            found.append(Measured(block, tuple(merged), nearest))
        neurons = own
    return found


def _after(neurons: Neurons, before: Neurons, merged: Merged) -> Neurons:
    """A layer's neurons once those of the layer before are merged."""
    weights = merged.outgoing(before.outgoing).T
    bias = neurons.into.vectors[:, -1] + merged.folded
    return Neurons(
        Rays(np.concatenate([weights, bias[:, None]], axis=1)),
        neurons.outgoing,
        neurons.activation,
        folds=neurons.folds,
        unit_roundoff=neurons.unit_roundoff,
    )


def _is_finite(neurons: Neurons) -> bool:
    arrays = [neurons.into.vectors, neurons.outgoing, *([neurons.up.vectors] if neurons.up else [])]
    with np.errstate(over="ignore", invalid="ignore"):
        return all(np.isfinite(each).all() for each in arrays)


def _heads(attention: Attention, arrays: Arrays) -> list[Head]:
    placed = zip(attention.matrices, attention.axes, strict=True)
    return head_ranks(attention, [_rows(matrix, axis, arrays) for matrix, axis in placed])

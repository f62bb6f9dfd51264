"""The rows of a checkpoint's tensors: read ahead, scored in threads, or put together from what the store has."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from functools import cache, partial

import numpy as np

from wqscore.analysis import Contents
from wqscore.checkpoints.adapters.low_rank import LowRank
from wqscore.checkpoints.decoding import read_contents
from wqscore.checkpoints.tensor import Tensor
from wqscore.execution import reading_ahead, run_in_order
from wqscore.layers import LayerScore, score_known, score_matrix
from wqscore.matrices.pairing import partner
from wqscore.matrices.plan import Outcome, matrices_of
from wqscore.matrices.weight_matrix import Cut, SkippedTensor, WeightMatrix
from wqscore.presets import Preset
from wqscore.remembering import KnownMatrix, Memory
from wqscore.sampling import Sampling


@dataclass(frozen=True)
class Task:
    """What is to be computed of every matrix.

    Attributes:
        preset: the constants.
        metrics: the metrics of matrices.
        sampling: the run's seed, and how much random work it does.
        base: the matrices of the base checkpoint by bare name, `None` without one.
        memory: what is known of before.
    """

    preset: Preset
    metrics: tuple[str, ...]
    sampling: Sampling
    base: Mapping[str, WeightMatrix] | None
    memory: Memory | None


@dataclass(frozen=True)
class ScoredGroup:
    """What became of one tensor.

    Attributes:
        rows: its rows.
        tensor: itself, where it holds matrices.
        digest: of its values.
        is_news: whether the store lacks any of this.
        known: what the store has of its matrices, by name.
    """

    rows: tuple[LayerScore | SkippedTensor, ...]
    tensor: Tensor | None = None
    digest: bytes = b""
    is_news: bool = False
    known: Mapping[str, KnownMatrix] = field(default_factory=dict)


def score_groups(
    groups: Sequence[list[Outcome]], task: Task, jobs: int | None, known: Mapping[str, KnownMatrix]
) -> Iterator[ScoredGroup]:
    """Score the tensors that hold matrices, reading ahead, and pass the others on, all in their order."""
    held = [matrices for group in groups if (matrices := matrices_of(group))]
    to_read = [matrices for matrices in held if not _are_known(matrices, known)]
    with reading_ahead((partial(_read, matrices) for matrices in to_read), jobs) as arrays:
        arguments = (
            (matrices, known, task) if _are_known(matrices, known) else (matrices, next(arrays), task)
            for matrices in held
        )
        scored = run_in_order(_score_tensor, arguments, jobs)
        for group in groups:
            skips = tuple(outcome for outcome in group if isinstance(outcome, SkippedTensor))
            yield ScoredGroup(skips) if skips else next(scored)


def _are_known(matrices: Sequence[WeightMatrix], known: Mapping[str, KnownMatrix]) -> bool:
    return all(matrix.name in known for matrix in matrices)


def _read(matrices: Sequence[WeightMatrix]) -> Contents:
    """A tensor's values; of a product of two thin matrices, scored as a whole, those two."""
    first = matrices[0]
    is_whole = len(matrices) == 1 and first.cut == Cut(first.tensor.shape) and len(first.tensor.shape) == 2
    return read_contents(first.tensor) if is_whole else first.tensor.read()


def _score_tensor(
    matrices: Sequence[WeightMatrix], source: Future[Contents] | Mapping[str, KnownMatrix], task: Task
) -> ScoredGroup:
    """Score the matrices that one tensor holds, from its values or what is known of them."""
    tensor = matrices[0].tensor
    if isinstance(source, Mapping):
        return _score_known(matrices, source, task, cache(partial(_read, matrices)))
    array = source.result()
    content = hashlib.sha256()
    for stored in (array.A, array.B) if isinstance(array, LowRank) else (array,):
        content.update(np.ascontiguousarray(stored).view(np.uint8).data)
    scale = array.scale if isinstance(array, LowRank) else None
    content.update(f"{tensor.dtype.name}{tensor.shape}{scale!r}".encode())
    known = task.memory.recall_read(matrices, content.digest()) if task.memory else {}
    if _are_known(matrices, known):
        return replace(_score_known(matrices, known, task, lambda: array), is_news=True)
    rows = tuple(
        score_matrix(matrix, array, task.preset, task.metrics, task.sampling, base)
        for matrix, base in zip(matrices, _base_weights(matrices, task.base), strict=True)
    )
    return ScoredGroup(rows, tensor, content.digest(), is_news=True)


def _score_known(
    matrices: Sequence[WeightMatrix], known: Mapping[str, KnownMatrix], task: Task, read: Callable[[], Contents]
) -> ScoredGroup:
    """Put rows together again; a tensor is read only for metrics that are new and need its weights."""

    def weights(matrix: WeightMatrix) -> Contents:
        found = read()
        return found if isinstance(found, LowRank) else matrix.values(found)

    rows = tuple(
        score_known(
            matrix,
            known[matrix.name].spectrum,
            known[matrix.name].values,
            known[matrix.name].judgement,
            partial(weights, matrix),
            task.preset,
            task.metrics,
            task.sampling,
        )
        for matrix in matrices
    )
    lacking = any(set(task.metrics) - known[matrix.name].values.keys() for matrix in matrices)
    finite = any(known[matrix.name].spectrum.state == "finite" for matrix in matrices)
    first = matrices[0]
    return ScoredGroup(rows, first.tensor, known[first.name].digest, lacking and finite, known)


def _base_weights(
    matrices: Sequence[WeightMatrix], base: Mapping[str, WeightMatrix] | None
) -> Iterator[np.ndarray | None]:
    """The same matrices of the base checkpoint, a tensor that holds several of them read once."""
    tensor, array = None, np.empty(0)
    for matrix in matrices:
        other = partner(matrix, base) if base else None
        if other is None:
            yield None
            continue
        if other.tensor is not tensor:
            tensor, array = other.tensor, other.tensor.read()
        yield other.values(array)

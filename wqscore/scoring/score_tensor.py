"""The rows of a checkpoint's tensors: read ahead and scored in threads, or restored from the cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial

import numpy as np
from rich.filesize import decimal

from wqscore.checkpoints.adapters.low_rank import LowRank
from wqscore.checkpoints.decoding import read_contents, use_of
from wqscore.checkpoints.tensor import Tensor
from wqscore.execution.bundles import run_in_bundles
from wqscore.execution.cluster.run import run_on_cluster
from wqscore.execution.resources import Resources, budget_for_jobs
from wqscore.execution.threads import Job
from wqscore.fits.sampling import Sampling
from wqscore.matrices.content import not_a_weight
from wqscore.matrices.matching import by_canonical_name, matching_matrix
from wqscore.matrices.plan import PlannedTensor, matrices_of
from wqscore.matrices.roles import CONV, OTHER
from wqscore.matrices.weight_matrix import Cut, SkippedTensor, WeightMatrix
from wqscore.metrics.analysis import Values
from wqscore.planning.peak_memory import held, job_memory
from wqscore.planning.work import cost
from wqscore.presets.preset import Preset
from wqscore.scoring.cache import CachedMatrix, ScoreCache
from wqscore.scoring.layer_score import LayerScore
from wqscore.scoring.score_matrix import score_known, score_matrix
from wqscore.scoring.sketching import digest_of, sketch_matrix
from wqscore.sketches.sketch import Sketch
from wqscore.spectra.in_single import DOUBLE, Precision
from wqscore.spectra.on_device import CPU

#: Roles of tensors that may be no weights: the others' names say what they are.
_MAYBE_NO_WEIGHT = frozenset({OTHER, CONV})


@dataclass(frozen=True)
class ScoringTask:
    """What to compute for every matrix.

    Attributes:
        preset: the constants.
        metrics: the metrics of matrices.
        sampling: the run's seed, and how much random work it does.
        base: the matrices of the base checkpoint by bare name, `None` without one.
        cache: of earlier runs, if any.
        device: what solves: `cpu`, or a device of torch.
        precision: in what a device solves.
        sketched: sketch the matrices that are read, for the store.
    """

    preset: Preset
    metrics: tuple[str, ...]
    sampling: Sampling
    base: Mapping[str, WeightMatrix] | None
    cache: ScoreCache | None
    device: str = CPU
    precision: Precision = DOUBLE
    sketched: bool = False


@dataclass(frozen=True)
class TensorResult:
    """The result of one tensor.

    Attributes:
        rows: its rows.
        tensor: itself, where it holds matrices.
        digest: of its values.
        is_new: whether the store lacks any of this.
        known: what the store has of its matrices, by name.
        sketches: those that were made of its matrices, by name.
    """

    rows: tuple[LayerScore | SkippedTensor, ...]
    tensor: Tensor | None = None
    digest: bytes = b""
    is_new: bool = False
    known: Mapping[str, CachedMatrix] = field(default_factory=dict)
    sketches: Mapping[str, Sketch] = field(default_factory=dict)


def score_groups(
    groups: Sequence[list[PlannedTensor]],
    task: ScoringTask,
    known: Mapping[str, CachedMatrix],
    resources: Resources,
    note: Callable[[str], None] | None = None,
) -> Iterator[tuple[int, TensorResult]]:
    """Yield a result per tensor: cached and skipped ones first, then the others as they finish.

    The longest start first, so that no thread is left with one at the end.

    Args:
        groups: the outcomes of each tensor.
        task: what to compute.
        known: what the store has of matrices, by name.
        resources: what the work may take.
        note: called for each tensor that exceeds the memory by itself.

    Yields:
        The index of a group and its result.
    """
    to_work: list[tuple[int, list[WeightMatrix]]] = []
    for index, group in enumerate(groups):
        matrices = matrices_of(group)
        if not matrices:
            yield index, TensorResult(tuple(outcome for outcome in group if isinstance(outcome, SkippedTensor)))
        elif all(matrix.name in known and not _is_incomplete(known[matrix.name], task) for matrix in matrices):
            yield index, _score_known(matrices, known, task, partial(read_values, matrices))
        else:
            to_work.append((index, matrices))
    to_work.sort(key=lambda each: -cost(each[1]))
    jobs = [_job(matrices, known, task, resources) for _, matrices in to_work]
    for number, scored in _run(jobs, resources, note):
        yield to_work[number][0], scored


def _job(
    matrices: Sequence[WeightMatrix], known: Mapping[str, CachedMatrix], task: ScoringTask, resources: Resources
) -> Job[TensorResult]:
    """The job of solving one tensor, or of completing its cached rows.

    It holds only the part of the base and the cache that it needs, for it may be sent to another process.
    """
    others = [other for matrix in matrices if task.base and (other := matching_matrix(matrix, task.base))]
    own = replace(task, base=by_canonical_name(others) if task.base else None)
    if resources.backend != "threads":
        # A worker has no store; this process stores what the worker computes.
        own = replace(own, cache=None)
    memory = job_memory(matrices) + max((held(other.tensor) for other in others), default=0)
    name = matrices[0].tensor.name
    if _are_known(matrices, known):
        before = {matrix.name: known[matrix.name] for matrix in matrices}
        # Nothing is read if all missing metrics need only eigenvalues.
        return Job(
            lambda: cache(partial(read_values, matrices)), partial(_score_known, matrices, before, own), memory, name
        )
    return Job(partial(read_values, matrices), partial(_score_tensor, matrices, own), memory, name)


def _run(
    jobs: Sequence[Job[TensorResult]], resources: Resources, note: Callable[[str], None] | None
) -> Iterator[tuple[int, TensorResult]]:
    if resources.backend != "threads":
        return run_on_cluster(jobs, resources.backend, resources.jobs)
    memory = budget_for_jobs(resources)
    for job in jobs:
        if note and job.memory > memory:
            note(
                f"{job.name} takes up to {decimal(job.memory)} of memory, more than there is for it: "
                "it is scored alone"
            )
    return run_in_bundles(jobs, resources.threads, memory)


def _are_known(matrices: Sequence[WeightMatrix], known: Mapping[str, CachedMatrix]) -> bool:
    return all(matrix.name in known for matrix in matrices)


def read_values(matrices: Sequence[WeightMatrix]) -> Values:
    """A tensor's values; the two factors of a product of thin matrices that is scored whole."""
    first = matrices[0]
    is_whole = len(matrices) == 1 and first.cut == Cut(first.tensor.shape) and len(first.tensor.shape) == 2
    return read_contents(first.tensor) if is_whole else first.tensor.read()


def _score_tensor(matrices: Sequence[WeightMatrix], task: ScoringTask, array: Values) -> TensorResult:
    """Score the matrices that one tensor holds, from its values."""
    tensor = matrices[0].tensor
    digest = digest_of(tensor, array)
    known = task.cache.get_by_digest(matrices, digest) if task.cache else {}
    if _are_known(matrices, known):
        return replace(_score_known(matrices, known, task, lambda: array), is_new=True)
    if reason := why_no_weight(matrices[0], array):
        return TensorResult((_not_a_matrix(matrices[0], reason),), tensor, digest)
    rows = tuple(
        score_matrix(matrix, array, task.preset, task.metrics, task.sampling, base, task.device, task.precision)
        for matrix, base in zip(matrices, _base_weights(matrices, task.base), strict=True)
    )
    return TensorResult(rows, tensor, digest, is_new=True, sketches=_sketched(rows, array, task))


def _sketched(rows: Sequence[LayerScore], array: Values, task: ScoringTask) -> dict[str, Sketch]:
    """The sketches of rows whose tensor is in memory; none where no store keeps them."""
    if not task.sketched:
        return {}
    return {row.matrix.name: sketch_matrix(row.matrix, array, row.spectrum, task.preset) for row in rows}


def why_no_weight(matrix: WeightMatrix, array: Values) -> str:
    """What a tensor is that is no weight, as far as its role leaves that open; empty for a weight."""
    if isinstance(array, LowRank) or matrix.role not in _MAYBE_NO_WEIGHT:
        return ""
    use = use_of(matrix.tensor)
    return not_a_weight(matrix.tensor.name, array, is_layers=use is not None and use.is_weight)


def _not_a_matrix(matrix: WeightMatrix, reason: str) -> SkippedTensor:
    tensor = matrix.tensor
    return SkippedTensor(
        tensor.name, tensor.shape, tensor.dtype.name, "-", reason, "not-a-matrix", depth=matrix.depth
    )


def _score_known(
    matrices: Sequence[WeightMatrix], known: Mapping[str, CachedMatrix], task: ScoringTask, read: Callable[[], Values]
) -> TensorResult:
    """Restore rows from the cache; the tensor is read only if a new metric or the judgement needs its weights."""
    first = matrices[0]
    taken: list[Values] = []

    def reading() -> Values:
        taken[:] = [read()]
        return taken[0]

    if known[first.name].judgement is None and (reason := why_no_weight(first, reading())):
        return TensorResult((_not_a_matrix(first, reason),), first.tensor, known[first.name].digest)

    def weights(matrix: WeightMatrix) -> Values:
        found = reading()
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
    is_new = any(_is_incomplete(known[matrix.name], task) for matrix in matrices)
    sketches = _sketched(rows, taken[0], task) if taken else {}
    return TensorResult(rows, first.tensor, known[first.name].digest, is_new, known, sketches)


def _is_incomplete(known: CachedMatrix, task: ScoringTask) -> bool:
    """Whether the store lacks the row, or some of it; a matrix without eigenvalues has no values."""
    lacking = known.spectrum.state == "finite" and set(task.metrics) - known.values.keys()
    return known.judgement is None or bool(lacking)


def _base_weights(
    matrices: Sequence[WeightMatrix], base: Mapping[str, WeightMatrix] | None
) -> Iterator[np.ndarray | None]:
    """The same matrices of the base checkpoint, a tensor that holds several of them read once."""
    tensor, array = None, np.empty(0)
    for matrix in matrices:
        other = matching_matrix(matrix, base) if base else None
        if other is None:
            yield None
            continue
        if other.tensor is not tensor:
            tensor, array = other.tensor, other.tensor.read()
        yield other.values(array)

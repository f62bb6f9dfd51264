"""Sketch the matrices of a checkpoint; a tensor is read once, and not at all if the store has its sketches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from wqscore.checkpoints.adapters.low_rank import LowRank
from wqscore.checkpoints.checkpoint import Checkpoint
from wqscore.execution.resources import budget_for_jobs
from wqscore.execution.threads import Job, run_jobs
from wqscore.matrices.plan import by_tensor, matrices_of
from wqscore.matrices.weight_matrix import SkippedTensor, WeightMatrix
from wqscore.metrics.analysis import Values
from wqscore.planning.peak_memory import job_memory
from wqscore.planning.work import cost
from wqscore.presets.preset import Preset
from wqscore.scoring.cached_sketch import CachedSketch
from wqscore.scoring.score_checkpoint import Work, planned
from wqscore.scoring.score_matrix import solve
from wqscore.scoring.score_tensor import read_values, why_no_weight
from wqscore.scoring.sketching import digest_of, sketch_matrix
from wqscore.sketches.directions import directions_of
from wqscore.sketches.portrait import SketchedMatrix
from wqscore.spectra.spectrum import Spectrum


@dataclass(frozen=True)
class Sketches:
    """What a model is compared by.

    Attributes:
        matrices: its matrices in the order of the checkpoint; of tied copies the first.
        unread: how many tensors could not be read as matrices.
        read: how many tensors were read.
    """

    matrices: tuple[SketchedMatrix, ...]
    unread: int
    read: int


def sketch_checkpoint(checkpoint: Checkpoint, preset: Preset, work: Work) -> Sketches:
    """Sketch the matrices of a checkpoint.

    Args:
        checkpoint: an opened checkpoint.
        preset: which tensors are matrices, and how these are solved.
        work: how the work is done; with a cache, what it has is not read, and what it lacks is added.

    Raises:
        CheckpointError: a file changed or vanished while it was read.
    """
    outcomes = planned(checkpoint, preset)
    groups = [group for each in by_tensor(outcomes) if (group := matrices_of(each))]
    every = [matrix for group in groups for matrix in group]
    known = work.cache.get_sketches(every) if work.cache else {}
    found = {each.name: made for each in every if each.name in known and (made := _known(each, known[each.name]))}
    lacking = [group for group in groups if not all(matrix.name in found for matrix in group)]
    lacking.sort(key=lambda group: -cost(group))
    if work.progress:
        work.progress.start(len(every), sum(group[0].tensor.nbytes for group in groups), cost(every))
        _advance(work, *(group for group in groups if all(matrix.name in found for matrix in group)))
    jobs = [
        Job(
            partial(read_values, group),
            partial(_sketched, group, known, preset, work),
            job_memory(group),
            group[0].tensor.name,
        )
        for group in lacking
    ]
    for index, (made_of, recalled) in run_jobs(jobs, work.resources.threads, budget_for_jobs(work.resources)):
        found |= made_of
        if work.cache and made_of:
            work.cache.put_sketches(lacking[index], made_of, recalled)
        _advance(work, lacking[index])
    if work.cache:
        work.cache.close(checkpoint.ref.label, checkpoint.revision or "")
    unread = sum(isinstance(each, SkippedTensor) and each.kind == "unread" for each in outcomes)
    return Sketches(tuple(_untied(groups, found)), unread, len(lacking))


def _advance(work: Work, *groups: Sequence[WeightMatrix]) -> None:
    for group in groups:
        if work.progress:
            work.progress.advance(len(group), group[0].tensor.nbytes, cost(group))


def _known(matrix: WeightMatrix, cached: CachedSketch) -> SketchedMatrix | None:
    """A matrix all of which is stored; its directions may be missing."""
    if cached.sketch is None:
        return None
    return SketchedMatrix(matrix, cached.spectrum, cached.digest, cached.sketch, cached.directions)


def _sketched(
    matrices: Sequence[WeightMatrix], known: Mapping[str, CachedSketch], preset: Preset, work: Work, array: Values
) -> tuple[dict[str, SketchedMatrix], frozenset[str]]:
    """Sketch the matrices of one tensor, by name; none of one that is no weight.

    Returns:
        What they are compared by, and the names of those whose spectra were stored.
    """
    digest = digest_of(matrices[0].tensor, array)
    known = {**known, **(work.cache.get_sketches(matrices, digest) if work.cache else {})}
    if why_no_weight(matrices[0], array):
        return {}, frozenset()
    found = {}
    for matrix in matrices:
        cached = known.get(matrix.name)
        found[matrix.name] = (_known(matrix, cached) if cached else None) or _made(
            matrix, array, digest, cached.spectrum if cached else solve(matrix, array, preset, work.device), preset
        )
    return found, frozenset(matrix.name for matrix in matrices if matrix.name in known)


def _made(matrix: WeightMatrix, array: Values, digest: bytes, spectrum: Spectrum, preset: Preset) -> SketchedMatrix:
    directions = None if isinstance(array, LowRank) else directions_of(matrix.values(array))
    return SketchedMatrix(matrix, spectrum, digest, sketch_matrix(matrix, array, spectrum, preset), directions)


def _untied(
    groups: Sequence[Sequence[WeightMatrix]], found: Mapping[str, SketchedMatrix]
) -> Iterator[SketchedMatrix]:
    """The matrices of tensors that no earlier one equals, but for tensors of zeros."""
    seen: set[bytes] = set()
    for group in groups:
        first = found.get(group[0].name)
        if first is None or first.digest in seen:
            continue
        if first.spectrum.state != "zero":
            seen.add(first.digest)
        yield from (found[matrix.name] for matrix in group)

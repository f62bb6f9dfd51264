"""From a checkpoint to one row per matrix and a summary of the model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import nan

import numpy as np

from wqscore.checkpoints.checkpoint import Checkpoint
from wqscore.execution.progress import ScoreProgress
from wqscore.execution.resources import ALL, Resources
from wqscore.fits.sampling import USUAL, Sampling
from wqscore.matrices.architecture import architecture_of
from wqscore.matrices.checkpoint_plan import plan_checkpoint
from wqscore.matrices.declared_base import declared_base
from wqscore.matrices.matching import by_canonical_name, why_none_matches
from wqscore.matrices.one_expert import isolate_expert
from wqscore.matrices.plan import PlannedTensor, by_tensor, matrices_of, tied_copy
from wqscore.matrices.uncounted import parameters_of
from wqscore.matrices.weight_matrix import SkippedTensor, WeightMatrix
from wqscore.metrics.analysis import ModelAnalysis
from wqscore.metrics.metric import ModelValue
from wqscore.metrics.registry import CORE, MATRIX_METRICS, WHOLE_METRICS
from wqscore.planning.work import cost
from wqscore.presets.preset import Preset
from wqscore.presets.registry import DEFAULT
from wqscore.scoring.cache import ScoreCache
from wqscore.scoring.layer_score import LayerScore
from wqscore.scoring.model_score import ModelScore
from wqscore.scoring.score_tensor import ScoringTask, TensorResult, score_groups
from wqscore.scoring.selection import EVERYTHING, LeftOut, Selection, remark_of, select
from wqscore.scoring.summary import summarise
from wqscore.spectra.in_single import DOUBLE, SINGLE, Precision, single_solver_on
from wqscore.spectra.on_device import CPU, solver_on
from wqscore.spectra.spectrum import Spectrum

#: Why a metric of the whole model has no value where matrices are left out.
_OF_A_PART = "it is of the whole model, and --layers or --roles leaves matrices out"


@dataclass(frozen=True)
class Work:
    """How the work is done. None of it changes a result, but for the last bits of another device or precision.

    Attributes:
        resources: what it may take.
        device: what solves the matrices: `cpu`, or a device of torch. Shuffles and windows are LAPACK's on either.
        precision: in what a device solves; `single` changes no metric by more than the weights' storage does.
        cache: of earlier runs on the same device, in the same precision; none with a base, whose distances are not
            cached.
        progress: called as work is done.
        note: called for each tensor that exceeds the memory budget, and so is scored alone.
    """

    resources: Resources = ALL
    device: str = CPU
    precision: Precision = DOUBLE
    cache: ScoreCache | None = None
    progress: ScoreProgress | None = None
    note: Callable[[str], None] | None = None


def score_checkpoint(
    checkpoint: Checkpoint,
    family: str = "",
    preset: Preset = DEFAULT,
    metrics: Sequence[str] = CORE,
    sampling: Sampling = USUAL,
    base: Checkpoint | None = None,
    work: Work = Work(),
    selection: Selection = EVERYTHING,
) -> ModelScore:
    """Score every matrix of a checkpoint, reading each tensor once and then freeing it.

    The next tensors are read while others are scored: up to two per thread are in memory, half of them waiting. An
    expert of a stack is read by itself if its bytes are contiguous.

    Args:
        checkpoint: an opened checkpoint.
        family: the family that a model list gives it.
        preset: the constants to use.
        metrics: names of the metrics to compute; nothing else is.
        sampling: the seed of every random step, and how much random work to do.
        base: the checkpoint that distances are measured from.
        work: how the work is done.
        selection: which matrices to score; each of the others has a row that says so.

    Raises:
        CheckpointError: a file changed or vanished while it was read, or no matrix is chosen.
    """
    outcomes = planned(checkpoint, preset)
    groups = by_tensor(select(outcomes, selection, checkpoint.ref.label))
    of_matrices = tuple(name for name in metrics if name in MATRIX_METRICS)
    to_compare = by_canonical_name(matrices_of(planned(base, preset))) if base else None
    if base and to_compare is not None and work.note:
        matrices = [matrix for group in groups for matrix in matrices_of(group)]
        if reason := why_none_matches(matrices, to_compare):
            work.note(f"{checkpoint.ref.label}: no distance from the base {base.ref.label}: {reason}")
    sketched = work.cache is not None
    task = ScoringTask(preset, of_matrices, sampling, to_compare, work.cache, work.device, work.precision, sketched)
    scored = dict(score_and_remember(groups, task, work.resources, work.progress, work.note))
    first_with: dict[bytes, str] = {}
    rows: list[LayerScore | SkippedTensor] = []
    for index, group in enumerate(groups):
        rows += _without_tied(scored[index], first_with)
        # Of a tensor whose matrices are not all chosen.
        rows += [each for each in group if isinstance(each, LeftOut)] if matrices_of(group) else []
    parameters = parameters_of(checkpoint, [*outcomes, *rows])
    whole = _of_the_whole(checkpoint, rows, metrics)
    n_scored = sum(isinstance(row, LayerScore) for row in rows)
    if work.cache:
        work.cache.close(checkpoint.ref.label, checkpoint.revision or "")
    return ModelScore(
        ref=checkpoint.ref,
        revision=checkpoint.revision,
        declared_family=family,
        architecture=architecture_of(checkpoint),
        parameters=parameters,
        preset=preset,
        sampling=sampling,
        metrics=tuple(metrics),
        rows=tuple(rows),
        summary=summarise(rows, parameters, preset, of_matrices, whole, sampling.seed),
        base="@".join(filter(None, (base.ref.label, base.revision))) if base else "",
        solver=_solver(work),
        precision=work.precision,
        remarks=(*checkpoint.remarks, *([remark_of(selection, rows, n_scored)] if selection else [])),
        selection=str(selection),
        declared_base=declared_base(checkpoint),
        gauge=checkpoint.gauge,
    )


def _solver(work: Work) -> str:
    if work.device == CPU:
        return ""
    return single_solver_on(work.device) if work.precision == SINGLE else solver_on(work.device)


def score_and_remember(
    groups: Sequence[list[PlannedTensor]],
    task: ScoringTask,
    resources: Resources,
    progress: ScoreProgress | None = None,
    note: Callable[[str], None] | None = None,
) -> Iterator[tuple[int, TensorResult]]:
    """Score the matrices of tensors that are not cached; add new results to the cache as they finish.

    Args:
        groups: the outcomes of each tensor.
        task: what to compute, and the cache of earlier runs.
        resources: what the work may take.
        progress: called as work is done.
        note: as for `score_checkpoint`.

    Yields:
        The index of a tensor and its result.
    """
    matrices = [matrix for group in groups for matrix in matrices_of(group)]
    known = task.cache.get(matrices) if task.cache else {}
    if progress:
        progress.start(len(matrices), *_amounts(matrices))
    for index, found in score_groups(groups, task, known, resources, note):
        if task.cache and found.is_new and found.tensor is not None:
            scored_rows = [row for row in found.rows if isinstance(row, LayerScore)]
            task.cache.put(found.tensor, found.digest, scored_rows, found.known, found.sketches)
        if progress and found.tensor is not None:
            progress.advance(len(found.rows), *_amounts(matrices_of(groups[index])))
        yield index, found


def planned(checkpoint: Checkpoint, preset: Preset) -> list[PlannedTensor]:
    """The matrices of a checkpoint, each of the smallest tensor that can be read by itself, and what is skipped."""
    outcomes = plan_checkpoint(checkpoint, preset.matrices)
    return [isolate_expert(outcome) if isinstance(outcome, WeightMatrix) else outcome for outcome in outcomes]


def _amounts(matrices: Sequence[WeightMatrix]) -> tuple[int, int]:
    """The bytes to read for matrices, and what they cost."""
    tensors = {matrix.tensor.name: matrix.tensor.nbytes for matrix in matrices}
    return sum(tensors.values()), cost(matrices)


def _of_the_whole(
    checkpoint: Checkpoint, rows: Sequence[LayerScore | SkippedTensor], metrics: Sequence[str]
) -> dict[str, ModelValue]:
    """The requested metrics of the whole model; not defined where matrices are left out."""
    names = [name for name in metrics if name in WHOLE_METRICS]
    if names and any(isinstance(row, LeftOut) for row in rows):
        return {name: ModelValue(nan, 0, _OF_A_PART) for name in names}
    norms = [_norms(row.spectrum) for row in rows if isinstance(row, LayerScore)]
    frobenius, spectral = np.array(norms).reshape(-1, 2).T
    analysis = ModelAnalysis(frobenius, spectral, checkpoint.tensors)
    return {name: WHOLE_METRICS[name].compute(analysis) for name in names}


def _norms(spectrum: Spectrum) -> tuple[float, float]:
    """‖W‖_F² and σ₁²; NaN where a weight is not finite."""
    if spectrum.state == "finite":
        return spectrum.total, spectrum.largest
    return (0.0, 0.0) if spectrum.state == "zero" else (nan, nan)


def _without_tied(scored: TensorResult, first_with: dict[bytes, str]) -> Iterator[LayerScore | SkippedTensor]:
    """Yield the rows of a tensor, or one skip if an earlier tensor equals it; all-zero tensors keep their rows."""
    first_row = scored.rows[0]
    if scored.tensor is None or not isinstance(first_row, LayerScore) or first_row.verdict == "zero":
        yield from scored.rows
        return
    first = first_with.setdefault(scored.digest, scored.tensor.name)
    if first == scored.tensor.name:
        yield from scored.rows
    else:
        yield tied_copy(scored.tensor, first, first_row.matrix)

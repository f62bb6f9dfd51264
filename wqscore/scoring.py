"""From a checkpoint to one row per matrix and a summary of the model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import nan
from typing import TYPE_CHECKING, Protocol

import numpy as np

from wqscore.analysis import ModelAnalysis
from wqscore.architecture import Architecture, architecture_of
from wqscore.checkpoints.checkpoint import Checkpoint
from wqscore.layers import LayerScore
from wqscore.matrices.model_config import ModelConfig
from wqscore.matrices.pairing import by_bare_name
from wqscore.matrices.plan import by_tensor, matrices_of, plan_matrices, tied_copy
from wqscore.matrices.weight_matrix import SkippedTensor, WeightMatrix
from wqscore.metrics.metric import ModelValue
from wqscore.metrics.registry import CORE, MATRIX_METRICS, WHOLE_METRICS
from wqscore.presets import DEFAULT, Preset
from wqscore.refs import ModelRef
from wqscore.remembering import Memory
from wqscore.sampling import USUAL, Sampling
from wqscore.spectra.spectrum import Spectrum
from wqscore.summary import ModelSummary, summarise
from wqscore.tensor_rows import ScoredGroup, Task, score_groups

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class ModelScore:
    """A scored model: a row for each matrix and each skipped tensor, and the summary.

    Attributes:
        ref: what was asked for.
        revision: the 40-hex commit on the Hub, `None` for files on disk.
        declared_family: the family that a model list gives it; empty if none does.
        architecture: its architecture and size.
        parameters: elements of all tensors, shared bytes once.
        preset: the constants used.
        sampling: the seed of every random step, and how much random work was done.
        metrics: names of the metrics that were asked for, in the order of their columns.
        rows: the rows, embeddings first, then by layer, heads last.
        summary: statistics over the rows that count.
        engine: what computed the rows.
        base: what distances were measured from, as `label@revision`; empty without.
    """

    ref: ModelRef
    revision: str | None
    declared_family: str
    architecture: Architecture
    parameters: int
    preset: Preset
    sampling: Sampling
    metrics: tuple[str, ...]
    rows: tuple[LayerScore | SkippedTensor, ...]
    summary: ModelSummary
    engine: str = "wqscore"
    base: str = ""

    @property
    def family(self) -> str:
        """The model's family, from a list or else its configuration; empty if neither tells."""
        return self.declared_family or self.architecture.family

    @property
    def seed(self) -> int:
        """The seed of every random step."""
        return self.sampling.seed

    @property
    def layers(self) -> tuple[LayerScore, ...]:
        """The scored matrices."""
        return tuple(row for row in self.rows if isinstance(row, LayerScore))

    @property
    def skipped(self) -> tuple[SkippedTensor, ...]:
        """The skipped tensors."""
        return tuple(row for row in self.rows if isinstance(row, SkippedTensor))

    def to_frame(self) -> pd.DataFrame:
        """The rows of `layers.csv` as a pandas table."""
        from wqscore.rendering.frame import layers_frame

        return layers_frame([self])

    def to_csv(self) -> str:
        """The text of `layers.csv`."""
        from wqscore.rendering.csv import layers_csv

        return layers_csv([self])

    def to_html(self) -> str:
        """One self-contained HTML page of this model."""
        from wqscore.ranking import rank_alone

        return rank_alone(self).to_html()


class ScoreProgress(Protocol):
    """Told how far the scoring of one model is."""

    def start(self, matrices: int, size: int) -> None:
        """Called once, with the matrices to score and the bytes to read."""

    def advance(self, matrices: int, size: int) -> None:
        """Called after each tensor, with the matrices scored and the bytes read."""


def score_checkpoint(
    checkpoint: Checkpoint,
    family: str = "",
    preset: Preset = DEFAULT,
    metrics: Sequence[str] = CORE,
    jobs: int | None = None,
    sampling: Sampling = USUAL,
    base: Checkpoint | None = None,
    progress: ScoreProgress | None = None,
    memory: Memory | None = None,
) -> ModelScore:
    """Score every matrix of a checkpoint, each tensor read once and forgotten.

    While some are scored the next are read: up to twice `jobs` tensors are in memory at a time, half of them waiting.

    Args:
        checkpoint: an opened checkpoint.
        family: the family that a model list gives it.
        preset: the constants to use.
        metrics: names of the metrics to compute; nothing else is.
        jobs: threads; all cores if `None`. The result is the same for any number.
        sampling: the seed of every random step, and how much random work to do.
        base: the checkpoint that distances are measured from.
        progress: told what is done.
        memory: what is known of before, and is told what is new; not with a base.

    Raises:
        CheckpointError: a file changed or vanished while it was read.
    """
    outcomes = plan_matrices(checkpoint.tensors, ModelConfig(checkpoint.config), preset.matrices)
    groups = by_tensor(outcomes)
    if progress:
        matrices = [matrix for group in groups for matrix in matrices_of(group)]
        progress.start(len(matrices), sum(g[0].tensor.nbytes for g in groups if isinstance(g[0], WeightMatrix)))
    rows: list[LayerScore | SkippedTensor] = []
    first_with: dict[bytes, str] = {}
    of_matrices = tuple(name for name in metrics if name in MATRIX_METRICS)
    task = Task(preset, of_matrices, sampling, _planned(base, preset) if base else None, memory)
    known = memory.recall([matrix for group in groups for matrix in matrices_of(group)]) if memory else {}
    for scored in score_groups(groups, task, jobs, known):
        if memory and scored.is_news and scored.tensor is not None:
            scored_rows = [row for row in scored.rows if isinstance(row, LayerScore)]
            memory.remember(scored.tensor, scored.digest, scored_rows, scored.known)
        rows.extend(_without_tied(scored, first_with))
        if progress and scored.tensor is not None:
            progress.advance(len(scored.rows), scored.tensor.nbytes)
    if memory:
        memory.close(checkpoint.ref.label, checkpoint.revision or "")
    return ModelScore(
        ref=checkpoint.ref,
        revision=checkpoint.revision,
        declared_family=family,
        architecture=architecture_of(checkpoint),
        parameters=checkpoint.parameters,
        preset=preset,
        sampling=sampling,
        metrics=tuple(metrics),
        rows=tuple(rows),
        summary=summarise(rows, checkpoint.parameters, preset, of_matrices, _of_the_whole(checkpoint, rows, metrics)),
        base="@".join(filter(None, (base.ref.label, base.revision))) if base else "",
    )


def _planned(checkpoint: Checkpoint, preset: Preset) -> dict[str, WeightMatrix]:
    """A checkpoint's matrices by bare name."""
    outcomes = plan_matrices(checkpoint.tensors, ModelConfig(checkpoint.config), preset.matrices)
    return by_bare_name(outcome for outcome in outcomes if isinstance(outcome, WeightMatrix))


def _of_the_whole(
    checkpoint: Checkpoint, rows: Sequence[LayerScore | SkippedTensor], metrics: Sequence[str]
) -> dict[str, ModelValue]:
    """The metrics of the whole model that were asked for."""
    norms = [_norms(row.spectrum) for row in rows if isinstance(row, LayerScore)]
    frobenius, spectral = np.array(norms).reshape(-1, 2).T
    analysis = ModelAnalysis(frobenius, spectral, checkpoint.tensors)
    return {name: WHOLE_METRICS[name].compute(analysis) for name in metrics if name in WHOLE_METRICS}


def _norms(spectrum: Spectrum) -> tuple[float, float]:
    """‖W‖_F² and σ₁²; NaN where a weight is not finite."""
    if spectrum.state == "finite":
        return spectrum.total, spectrum.largest
    return (0.0, 0.0) if spectrum.state == "zero" else (nan, nan)


def _without_tied(scored: ScoredGroup, first_with: dict[bytes, str]) -> Iterator[LayerScore | SkippedTensor]:
    """A tensor whose content was met before is one skip; zeros are equal by accident and stay."""
    first_row = scored.rows[0]
    if scored.tensor is None or not isinstance(first_row, LayerScore) or first_row.verdict == "zero":
        yield from scored.rows
        return
    first = first_with.setdefault(scored.digest, scored.tensor.name)
    if first == scored.tensor.name:
        yield from scored.rows
    else:
        yield tied_copy(scored.tensor, first, first_row.matrix)

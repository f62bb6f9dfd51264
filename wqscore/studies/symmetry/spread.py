"""How far a model's numbers move under random transformations that leave its function alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import isfinite, nan

from wqscore.checkpoints.checkpoint import Checkpoint
from wqscore.execution.progress import ScoreProgress
from wqscore.execution.resources import Resources
from wqscore.matrices.plan import PlannedTensor, by_tensor, matrices_of
from wqscore.planning.work import cost
from wqscore.scoring.layer_score import LayerScore
from wqscore.scoring.model_score import ModelScore
from wqscore.scoring.score_checkpoint import planned
from wqscore.scoring.score_tensor import ScoringTask, score_groups
from wqscore.scoring.summary import ModelSummary, summarise
from wqscore.symmetries.derived import DerivedTensor


@dataclass(frozen=True)
class Scorer:
    """Scores the matrices that a transformation changes, and sums them up with those that it doesn't.

    Attributes:
        score: the model as it is stored.
        task: what to compute; no store, for what is drawn is not kept.
        resources: what the work may take.
        note: called for each tensor that exceeds the memory by itself.
    """

    score: ModelScore
    task: ScoringTask
    resources: Resources
    note: Callable[[str], None] | None = None

    def changed(self, checkpoint: Checkpoint) -> list[list[PlannedTensor]]:
        """The scored matrices of the tensors of a transformed checkpoint that differ from the stored ones."""
        scored = {row.matrix.name for row in self.score.layers}
        matrices = matrices_of(planned(checkpoint, self.task.preset))
        return by_tensor(
            [each for each in matrices if each.name in scored and isinstance(each.tensor, DerivedTensor)]
        )

    def summary(self, checkpoint: Checkpoint, progress: ScoreProgress | None = None) -> ModelSummary:
        """The summary of a transformed checkpoint."""
        groups = self.changed(checkpoint)
        new: dict[str, LayerScore] = {}
        for index, found in score_groups(groups, self.task, {}, self.resources, self.note):
            new |= {row.matrix.name: row for row in found.rows if isinstance(row, LayerScore)}
            if progress:
                progress.advance(*amount(groups[index : index + 1]))
        before = self.score
        rows = [new.get(row.matrix.name, row) if isinstance(row, LayerScore) else row for row in before.rows]
        return summarise(rows, before.parameters, before.preset, self.task.metrics, {}, before.seed)


def amount(groups: Sequence[Sequence[PlannedTensor]]) -> tuple[int, int, int]:
    """How many matrices tensors hold, their bytes, and what they cost."""
    matrices = [matrix for group in groups for matrix in matrices_of(group)]
    sizes = {matrix.tensor.name: matrix.tensor.nbytes for matrix in matrices}
    return len(matrices), sum(sizes.values()), cost(matrices)


def spreads(summaries: Sequence[ModelSummary], score: ModelScore) -> Iterator[tuple[str, float]]:
    """The largest less the least of each metric's number over summaries; NaN where it is not defined in all."""
    for metric in score.metrics:
        values = [summary.headline(metric, score.preset) for summary in summaries]
        yield metric, max(values) - min(values) if values and all(map(isfinite, values)) else nan

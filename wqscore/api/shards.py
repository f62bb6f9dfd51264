"""Score one shard of the work of several independent processes, such as the tasks of a Slurm array.

Each process writes to a separate store; a run with the merged stores finds every result in them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wqscore.api.run import Run, distances_among, in_gauge, own_errors, started
from wqscore.api.settings import Settings
from wqscore.checkpoints.fetch_or_stream import open_or_fall_back
from wqscore.checkpoints.runs import expand_runs
from wqscore.errors import CheckpointError, UsageError
from wqscore.matrices.plan import PlannedTensor, by_tensor, matrices_of
from wqscore.metrics.registry import MATRIX_METRICS, choose_metrics
from wqscore.planning.work import cost
from wqscore.refs.callers import refs_of
from wqscore.refs.reference import ModelRef, Models
from wqscore.scoring.model_score import Failure
from wqscore.scoring.score_checkpoint import planned, score_and_remember
from wqscore.scoring.score_tensor import ScoringTask
from wqscore.scoring.selection import select

if TYPE_CHECKING:
    from wqscore.execution.progress import RankProgress


@dataclass(frozen=True)
class Shard:
    """Which shard of how many.

    Attributes:
        number: the shard's number, from 1.
        of: the number of shards.
    """

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


@dataclass(frozen=True)
class ModelShard:
    """One shard of one model, computed and stored.

    Attributes:
        ref: the model.
        matrices: the number of matrices in this shard.
        all_matrices: the number of matrices in the model.
    """

    ref: ModelRef
    matrices: int
    all_matrices: int


def parse_shard(text: str) -> Shard:
    """Parse a shard written as `number/of`.

    Raises:
        UsageError: the text is not one, or the number is not between 1 and `of`.

    Example:
        >>> parse_shard("4/16")
        Shard(number=4, of=16)
    """
    match = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text)
    shard = Shard(int(match[1]), int(match[2])) if match else Shard(0, 0)
    if not 1 <= shard.number <= shard.of:
        raise UsageError(f"--shard {text}: no part of the work: write 1/4, 2/4, 3/4 and 4/4 for four")
    return shard


def deal(groups: Sequence[list[PlannedTensor]], shard: Shard) -> list[list[PlannedTensor]]:
    """Pick one shard's tensors: the model's, cached or not, are dealt round-robin, the costliest first.

    Args:
        groups: the planned outcomes of each tensor of a model.
        shard: the shard.

    Returns:
        The groups of that shard; groups without matrices are in none.
    """
    to_solve = [group for group in groups if matrices_of(group)]
    to_solve.sort(key=lambda group: -cost(matrices_of(group)))
    return to_solve[shard.number - 1 :: shard.of]


def score_shard(
    refs: Models,
    shard: str | Shard,
    settings: Settings,
    *,
    by: str | None = None,
    progress: RankProgress | None = None,
) -> tuple[list[ModelShard], list[Failure]]:
    """Compute one shard of every model into a store.

    With the merged stores of all shards, `wqscore.rank` and `wqscore.score` with the same settings compute nothing.

    Args:
        refs: the models, as for `wqscore.rank`.
        shard: which shard of how many, such as `2/16`.
        settings: as for `wqscore.rank`, with a store that no other process writes to. The merged stores serve a run
            on the same device: `cpu`, or a GPU of the same name in the same precision.
        by: a metric to compute in addition to those of the settings.
        progress: receives progress.

    Returns:
        What was computed of each model, and the models whose shard failed.

    Raises:
        UsageError: as for `wqscore.rank`; no such shard; no store, or results that a store can't hold: distances
            from a base, or WeightWatcher's numbers.
        StoreError: the store can't be opened.
    """
    part = parse_shard(shard) if isinstance(shard, str) else shard
    if settings.store is None or settings.base is not None or settings.engine != "wqscore":
        raise UsageError("a shard needs a store, and has no base and no other engine")
    asked = [*choose_metrics(settings.metrics), *([by] if by else [])]
    if distances := distances_among(asked):
        raise UsageError(f"{distances[0]} is not kept in a store: leave it out of a shard")
    done: list[ModelShard] = []
    failures: list[Failure] = []
    with started(expand_runs(refs_of(refs)).refs, settings, progress, by) as run:
        for model in run.models:
            try:
                done.append(_score_part(model, part, run))
            except CheckpointError as error:
                failures.append(run.failure(model, error))
    return done, failures


def _score_part(model: ModelRef, part: Shard, run: Run) -> ModelShard:
    """Compute one shard of one model into the store."""
    progress = run.progress.model(model) if run.progress else None
    names = tuple(name for name in run.metrics if name in MATRIX_METRICS)
    cache = run.cache
    assert cache is not None
    device, precision = run.settings.device, run.settings.precision
    task = ScoringTask(run.preset, names, run.sampling, None, cache, device, precision, sketched=True)
    with own_errors(model):
        checkpoint = in_gauge(open_or_fall_back(model, run.settings.stream, run.progress), run.settings.gauge)
        groups = by_tensor(select(planned(checkpoint, run.preset), run.selection, model.label))
        mine = deal(groups, part)
        for _ in score_and_remember(mine, task, run.resources, progress, run.note):
            pass
    cache.close(checkpoint.ref.label, checkpoint.revision or "")
    if not cache.works:
        raise CheckpointError(
            f"{model.label}: the store did not keep what was computed: see to it, and run this again"
        )
    return ModelShard(checkpoint.ref, _count(mine), _count(groups))


def _count(groups: Sequence[list[PlannedTensor]]) -> int:
    return sum(len(matrices_of(group)) for group in groups)

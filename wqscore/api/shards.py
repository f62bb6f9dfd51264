"""One part of the work of several processes that know nothing of each other, such as the tasks of a Slurm array.

Each keeps what it computes in a store of its own; joined, they are a store with which nothing is left to compute.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wqscore.checkpoints.fetch_or_stream import open_either_way
from wqscore.errors import CheckpointError, UsageError
from wqscore.execution.cluster.run import connected
from wqscore.execution.resources import Backend, Resources
from wqscore.fits.sampling import Sampling
from wqscore.matrices.plan import Outcome, by_tensor, matrices_of
from wqscore.metrics.registry import MATRIX_METRICS, choose_metrics, find_metric
from wqscore.planning.work import cost
from wqscore.presets.registry import find_preset
from wqscore.refs import ModelRef, parse_ref
from wqscore.scoring.cache import Memory, opened_store
from wqscore.scoring.model_score import Failure
from wqscore.scoring.score_checkpoint import planned, score_and_remember
from wqscore.scoring.score_tensor import Task
from wqscore.spectra.on_device import CPU, Device, check_device
from wqscore.store.store import Store

if TYPE_CHECKING:
    from wqscore.execution.progress import RankProgress


@dataclass(frozen=True)
class Shard:
    """One of several parts of the work.

    Attributes:
        number: which, from 1 on.
        of: how many there are.
    """

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


@dataclass(frozen=True)
class ModelShard:
    """One part of one model, computed and kept.

    Attributes:
        ref: the model.
        matrices: how many matrices are in this part.
        all_matrices: how many the model has.
    """

    ref: ModelRef
    matrices: int
    all_matrices: int


def parse_shard(text: str) -> Shard:
    """Read which part is meant.

    Raises:
        UsageError: it is none.

    Example:
        >>> parse_shard("4/16")
        Shard(number=4, of=16)
    """
    found = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text)
    shard = Shard(int(found[1]), int(found[2])) if found else Shard(0, 0)
    if not 1 <= shard.number <= shard.of:
        raise UsageError(f"--shard {text}: no part of the work: write 1/4, 2/4, 3/4 and 4/4 for four")
    return shard


def deal(groups: Sequence[list[Outcome]], shard: Shard) -> list[list[Outcome]]:
    """The tensors of one part: all are dealt out in turn, the longest work first, whatever is known of them.

    Args:
        groups: the outcomes of each tensor of a model.
        shard: which part.

    Returns:
        The groups of that part, none without matrices.
    """
    to_solve = [group for group in groups if matrices_of(group)]
    to_solve.sort(key=lambda group: -cost(matrices_of(group)))
    return to_solve[shard.number - 1 :: shard.of]


def score_shard(
    refs: Iterable[str | ModelRef],
    shard: str | Shard,
    store: Store | Path | str,
    *,
    by: str | None = None,
    preset: str = "default",
    metrics: str | Iterable[str] = "core",
    seed: int = 0,
    bootstrap: int = 200,
    gof: int = 100,
    stream: bool = False,
    jobs: int | None = None,
    memory: int | None = None,
    backend: Backend = "threads",
    device: Device = CPU,
    progress: RankProgress | None = None,
) -> tuple[list[ModelShard], list[Failure]]:
    """Compute one part of every model and keep it in a store; the others are for other processes.

    `wqscore.rank` and `wqscore.score`, asked for the same with the joined stores, compute nothing then.

    Args:
        refs: the models, as for `wqscore.rank`.
        shard: which part of how many, such as `2/16`.
        store: a store that no other process writes to, or its path.
        by: a metric that is computed beside the others.
        preset: as for `wqscore.score`, and so are all that follow.
        metrics: likewise.
        seed: likewise.
        bootstrap: likewise.
        gof: likewise.
        stream: likewise.
        jobs: likewise.
        memory: likewise.
        backend: likewise.
        device: likewise; the joined stores serve a run on a GPU of the same name.
        progress: likewise.

    Returns:
        What was computed of each model, and the models of which nothing or not all could be.

    Raises:
        UsageError: as for `wqscore.rank`; a part that there is none of; a metric that is not kept in a store.
        StoreError: the store can't be opened.
    """
    part = parse_shard(shard) if isinstance(shard, str) else shard
    chosen = find_preset(preset)
    names = choose_metrics(metrics, chosen.core)
    if by:
        names = choose_metrics([*names, find_metric(by).name])
    if lost := [name for name in names if find_metric(name).cost == "base"]:
        raise UsageError(f"{lost[0]} is not kept in a store: leave it out of a shard")
    resources = Resources(jobs, memory, backend)
    check_device(device, backend)
    models: dict[object, ModelRef] = {}
    for model in (parse_ref(ref) if isinstance(ref, str) else ref for ref in refs):
        models.setdefault(model.identity, model)
    done: list[ModelShard] = []
    failures: list[Failure] = []
    with connected(backend), opened_store(store) as kept:
        assert kept is not None
        for model in models.values():
            note = progress.note if progress else None
            task = Task(
                chosen,
                tuple(name for name in names if name in MATRIX_METRICS),
                Sampling(seed, bootstrap, gof),
                None,
                Memory(kept, chosen, Sampling(seed, bootstrap, gof), note, device),
                device,
            )
            try:
                done.append(_score_part(model, part, task, stream, resources, progress))
            except CheckpointError as error:
                failures.append(Failure(model, str(error)))
                if progress:
                    progress.failed(failures[-1].ref, failures[-1].reason)
    return done, failures


def _score_part(
    model: ModelRef, part: Shard, task: Task, stream: bool, resources: Resources, progress: RankProgress | None
) -> ModelShard:
    bar = progress.model(model) if progress else None
    assert task.memory is not None
    try:
        checkpoint = open_either_way(model, stream, progress)
        groups = by_tensor(planned(checkpoint, task.preset))
        mine = deal(groups, part)
        for _ in score_and_remember(mine, task, resources, bar, progress.note if progress else None):
            pass
    except MemoryError as error:
        raise CheckpointError(f"{model.label}: not enough memory: use --jobs 1, or a lower --memory") from error
    task.memory.close(checkpoint.ref.label, checkpoint.revision or "")
    if not task.memory.works:
        raise CheckpointError(
            f"{model.label}: the store did not keep what was computed: see to it, and run this again"
        )
    return ModelShard(checkpoint.ref, _count(mine), _count(groups))


def _count(groups: Sequence[list[Outcome]]) -> int:
    return sum(len(matrices_of(group)) for group in groups)

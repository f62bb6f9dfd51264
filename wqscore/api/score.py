"""The public functions: score one model, rank several, describe one without reading its weights."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from wqscore.checkpoints.checkpoint import Checkpoint
from wqscore.checkpoints.fetch_or_stream import open_either_way
from wqscore.checkpoints.opening import open_checkpoint
from wqscore.errors import CheckpointError, UsageError
from wqscore.execution.cluster.run import connected
from wqscore.execution.progress import RankProgress
from wqscore.execution.resources import Backend, Resources
from wqscore.fits.sampling import Sampling
from wqscore.metrics.registry import choose_metrics, find_metric
from wqscore.model_list import find_listed
from wqscore.planning.describe import ModelDescription, describe_checkpoint, open_without_weights
from wqscore.presets.registry import WW_0_7, Preset, find_preset
from wqscore.ranking.ranking import Ranking, rank_models
from wqscore.refs import ModelRef, parse_ref
from wqscore.scoring.cache import Memory, opened_store
from wqscore.scoring.model_score import Failure, ModelScore
from wqscore.scoring.score_checkpoint import score_checkpoint
from wqscore.spectra.on_device import CPU, Device, check_device
from wqscore.store.headers import StoredHeaders

if TYPE_CHECKING:
    from pathlib import Path

    from wqscore.engines.crosscheck import Crosscheck
    from wqscore.store.store import Store

Engine = Literal["wqscore", "weightwatcher"]


class RankingInterrupted(KeyboardInterrupt):
    """Ctrl-C during `rank`: `ranking` holds what was scored before, the rest as failed."""

    def __init__(self, ranking: Ranking) -> None:
        super().__init__("interrupted")
        self.ranking = ranking


def score(
    ref: str | ModelRef,
    *,
    preset: str = "default",
    metrics: str | Iterable[str] = "core",
    base: str | ModelRef | None = None,
    engine: Engine = "wqscore",
    seed: int = 0,
    bootstrap: int = 200,
    gof: int = 100,
    stream: bool = False,
    store: Store | Path | str | None = None,
    jobs: int | None = None,
    memory: int | None = None,
    backend: Backend = "threads",
    device: Device = CPU,
    progress: RankProgress | None = None,
) -> ModelScore:
    """Score one model.

    Args:
        ref: a Hub id (`org/name`, `org/name@revision`), an alias, a folder or a weight file.
        preset: the constants, a name that `find_preset` knows.
        metrics: what to compute: names, `core` or `all`, as `choose_metrics` takes them. Nothing else is computed.
        base: a base or initial checkpoint; the distances from it are computed too.
        engine: `weightwatcher` for the numbers of the real one, which has to be installed; always the preset
            `ww-0.7`.
        seed: the seed of every random step, recorded in the result.
        bootstrap: resamples behind alpha's interval; 0 for none.
        gof: synthetic draws behind the goodness of fit; 0 for none, and no verdict `no-power-law`.
        stream: read each tensor from the Hub when it is needed and store none; a checkpoint that the disk has no
            room for is read so anyway, and one that can't be (`.bin` files) is downloaded all the same.
        store: a store, or the path of one: what it has of before is not computed again, what is new is kept there.
        jobs: threads; all cores if `None`. The result is the same for any number.
        memory: bytes that the process is to stay under; most of what is free if `None`. A tensor that needs more by
            itself is scored while no other is. The result is the same for any number.
        backend: `dask` or `ray` for a cluster that is running: DASK_SCHEDULER_ADDRESS or RAY_ADDRESS names it, or the
            process is connected already. Its workers read the tensors themselves; `jobs` is then how many run at a
            time, as many as there is room for if `None`, and `memory` is theirs to know. The result is the same.
        device: `cuda` to solve matrices on this machine's GPU, with torch, one at a time; not on a cluster. The last
            bits differ from those of `cpu`, and a store keeps the two apart.
        progress: told what is done.

    Returns:
        A row for each matrix and each skipped tensor, and the model's summary.

    Raises:
        UsageError: a reference, preset or metric that means nothing, no cluster that answers, or no GPU.
        StoreError: the store can't be opened.
        CheckpointError: a model that can't be found, fetched or read.

    Example:
        `wqscore.score("./my-model").summary.statistics["alpha"].median`
    """
    chosen = _preset(preset, engine, stream)
    names = _chosen(metrics, chosen, base, engine)
    model = _parsed(ref)
    resources = _resources(jobs, memory, backend, device, engine)
    opened = None if base is None else open_either_way(_parsed(base), stream, progress)
    with connected(backend), opened_store(store) as kept:
        sampling = Sampling(seed, bootstrap, gof)
        run = _Run(chosen, names, opened, engine, sampling, stream, kept, resources, device, progress)
        return _score(model, run)


def rank(
    refs: Iterable[str | ModelRef],
    *,
    by: str | None = None,
    across_families: bool = False,
    preset: str = "default",
    metrics: str | Iterable[str] = "core",
    base: str | ModelRef | None = None,
    engine: Engine = "wqscore",
    seed: int = 0,
    bootstrap: int = 200,
    gof: int = 100,
    stream: bool = False,
    store: Store | Path | str | None = None,
    jobs: int | None = None,
    memory: int | None = None,
    backend: Backend = "threads",
    device: Device = CPU,
    progress: RankProgress | None = None,
) -> Ranking:
    """Score several models and rank them; one that fails is listed with its reason and stops no other.

    Args:
        refs: the models, as for `score`; one named twice counts once.
        by: the metric to rank by, any of the registry; the preset's own (alpha) if `None`.
        across_families: rank models of different families together, which means little; else each family by itself.
        preset: the constants, the same for all; its headline statistic ranks.
        metrics: what to compute beside it, as for `score`.
        base: one base checkpoint for all models, as for `score`.
        engine: as for `score`.
        seed: the seed of every random step.
        bootstrap: as for `score`.
        gof: as for `score`.
        stream: as for `score`; tensors of the base are read again for each model then.
        store: as for `score`.
        jobs: threads; all cores if `None`.
        memory: as for `score`.
        backend: as for `score`.
        device: as for `score`.
        progress: told what is done.

    Raises:
        UsageError: a reference, metric or preset that means nothing, no cluster that answers, or no GPU;
            nothing has been scored then.
        CheckpointError: the base can't be found, fetched or read.
        RankingInterrupted: Ctrl-C; a `KeyboardInterrupt` that carries the ranking so far.

    Example:
        `wqscore.rank(["bert-base", "roberta-base"]).to_frame()`
    """
    chosen = _preset(preset, engine, stream)
    by = find_metric(by or chosen.by).name
    names = _chosen([*choose_metrics(metrics, chosen.core), by], chosen, base, engine)
    models: dict[object, ModelRef] = {}
    for model in map(_parsed, refs):
        models.setdefault(model.identity, model)
    resources = _resources(jobs, memory, backend, device, engine)
    opened = None if base is None else open_either_way(_parsed(base), stream, progress)
    with connected(backend), opened_store(store) as kept:
        sampling = Sampling(seed, bootstrap, gof)
        run = _Run(chosen, names, opened, engine, sampling, stream, kept, resources, device, progress)
        scores, failures, interrupt = _score_all(list(models.values()), run)
    ranking = rank_models(scores, by, chosen, names, seed, failures, across_families)
    if interrupt is not None:
        raise RankingInterrupted(ranking) from interrupt
    return ranking


def crosscheck(ref: str | ModelRef, *, jobs: int | None = None, progress: RankProgress | None = None) -> Crosscheck:
    """Score one model with the preset `ww-0.7` and with the real WeightWatcher, and compare them.

    Args:
        ref: the model, as for `score`.
        jobs: threads of wqscore; all cores if `None`.
        progress: told what wqscore has done.

    Raises:
        UsageError: a reference that means nothing, or WeightWatcher is not installed.
        CheckpointError: a model that can't be found, fetched or read by one of the two.
    """
    from wqscore.engines import crosscheck as crosschecking
    from wqscore.engines.weightwatcher import COMPARED, check_installed, run_weightwatcher

    check_installed()
    model = _parsed(ref)
    model_progress = progress.model(model) if progress else None
    checkpoint = _downloaded(model, progress)
    ours = score_checkpoint(
        checkpoint, preset=WW_0_7, metrics=COMPARED, resources=Resources(jobs), progress=model_progress
    )
    if progress:
        progress.crosschecking(model)
    return crosschecking.crosscheck(ours, run_weightwatcher(checkpoint))


def describe(ref: str | ModelRef, *, preset: str = "default", jobs: int | None = None) -> ModelDescription:
    """List a model's tensors and what scoring would do with each, from the files' headers alone.

    Args:
        ref: the model, as for `score`; from the Hub only headers are fetched.
        preset: the preset to plan for.
        jobs: threads that would score it, which decides on the memory; all cores if `None`.

    Raises:
        UsageError: a reference or preset that means nothing.
        CheckpointError: a model that can't be found or read, or not without downloading its weights.
    """
    chosen = find_preset(preset)
    return describe_checkpoint(open_without_weights(_parsed(ref)), chosen, jobs)


def declared_family(ref: ModelRef) -> str:
    """The family that the model's list gives it, or that of the shipped list it is in; empty without one."""
    listed = find_listed(ref.repo) if ref.repo else None
    return ref.family or (listed and listed.family) or ""


@dataclass(frozen=True)
class _Run:
    """What is the same for all models of a run."""

    preset: Preset
    metrics: tuple[str, ...]
    base: Checkpoint | None
    engine: Engine
    sampling: Sampling
    stream: bool
    store: Store | None
    resources: Resources
    device: Device
    progress: RankProgress | None


def _score_all(
    models: Sequence[ModelRef], run: _Run
) -> tuple[list[ModelScore], list[Failure], KeyboardInterrupt | None]:
    """The models that can be scored, the others, and the Ctrl-C that came before the last."""
    scores: list[ModelScore] = []
    failures: list[Failure] = []
    for place, model in enumerate(models):
        try:
            scores.append(_score(model, run))
        except CheckpointError as error:
            failures.append(Failure(model, str(error)))
            if run.progress:
                run.progress.failed(model, str(error))
        except KeyboardInterrupt as interrupt:
            failures += [Failure(left, "interrupted before it was scored") for left in models[place:]]
            return scores, failures, interrupt
    return scores, failures, None


def _score(model: ModelRef, run: _Run) -> ModelScore:
    progress = run.progress.model(model) if run.progress else None
    try:
        family = declared_family(model)
        if run.engine == "weightwatcher":
            from wqscore.engines.rows import watched_score

            checkpoint = _downloaded(model, run.progress)
            return watched_score(checkpoint, family, run.metrics, run.sampling.seed)
        known = StoredHeaders(run.store) if run.store else None
        checkpoint = open_either_way(model, run.stream, run.progress, known)
        return score_checkpoint(
            checkpoint,
            family,
            run.preset,
            run.metrics,
            run.resources,
            run.sampling,
            run.base,
            progress,
            _memory(run),
            run.progress.note if run.progress else None,
            run.device,
        )
    except MemoryError as error:
        raise CheckpointError(
            f"{model.label}: not enough memory: score it with --jobs 1, or with a lower --memory"
        ) from error


def _memory(run: _Run) -> Memory | None:
    """What is kept of before; distances from a base are not."""
    if run.store is None or run.base is not None:
        return None
    return Memory(run.store, run.preset, run.sampling, run.progress.note if run.progress else None, run.device)


def _preset(name: str, engine: Engine, stream: bool) -> Preset:
    """The preset; WeightWatcher's own where it is the engine."""
    if engine == "wqscore":
        return find_preset(name)
    if stream:
        raise UsageError("the engine weightwatcher reads files: leave --stream out (stream= in Python)")
    from wqscore.engines.weightwatcher import check_installed

    check_installed()
    if name not in ("default", WW_0_7.name):
        raise UsageError(f"the engine weightwatcher has the preset {WW_0_7.name} only, not {name}")
    return WW_0_7


def _resources(jobs: int | None, memory: int | None, backend: Backend, device: Device, engine: Engine) -> Resources:
    resources = Resources(jobs, memory, backend)
    if backend != "threads" and engine != "wqscore":
        raise UsageError(f"the engine {engine} runs in this process: leave --backend out (backend= in Python)")
    if device != CPU and engine != "wqscore":
        raise UsageError(f"the engine {engine} solves by itself: leave --device out (device= in Python)")
    check_device(device, backend)
    return resources


def _chosen(
    metrics: str | Iterable[str], preset: Preset, base: str | ModelRef | None, engine: Engine
) -> tuple[str, ...]:
    """The metrics to compute, the distances from a base among them when there is one."""
    names = choose_metrics(metrics, preset.core)
    if base is not None:
        names = choose_metrics([*names, "base"])
    lacking = [name for name in names if name not in preset.core]
    if engine == "weightwatcher" and lacking:
        raise UsageError(f"the engine weightwatcher has no {lacking[0]}: it has {', '.join(preset.core)}")
    lost = [name for name in names if find_metric(name).cost == "base"]
    if lost and base is None:
        raise UsageError(f"{lost[0]} needs a checkpoint to measure from: name one with --base (base= in Python)")
    return names


def _downloaded(model: ModelRef, progress: RankProgress | None) -> Checkpoint:
    """A checkpoint whose files are on disk, as WeightWatcher needs them."""
    return open_checkpoint(model, progress.fetching if progress else None)


def _parsed(ref: str | ModelRef) -> ModelRef:
    return parse_ref(ref) if isinstance(ref, str) else ref

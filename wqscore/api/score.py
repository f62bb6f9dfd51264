"""The public functions that score: `score` one model, `rank` several, `crosscheck` one with WeightWatcher."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Unpack

from wqscore.api.lineage import unrelated_families
from wqscore.api.run import Run, in_gauge, own_errors, preset_of, started
from wqscore.api.settings import Settings, SettingsKeywords, changed, takes_settings
from wqscore.checkpoints.checkpoint import Checkpoint
from wqscore.checkpoints.fetch_or_stream import open_or_fall_back
from wqscore.checkpoints.in_memory import let_go
from wqscore.checkpoints.opening import open_checkpoint
from wqscore.checkpoints.runs import expand_runs
from wqscore.errors import CheckpointError, UsageError
from wqscore.evidence.advice import AUTO, choose_metric, with_odds
from wqscore.evidence.lore import load_lore
from wqscore.execution.progress import RankProgress
from wqscore.execution.resources import Resources
from wqscore.metrics.registry import find_metric
from wqscore.presets.registry import DEFAULT
from wqscore.presets.weightwatcher import WW_0_7
from wqscore.ranking.gauge_spread import read_gauge_spreads, widened
from wqscore.ranking.ranking import Ranking, rank_models
from wqscore.refs.callers import as_ref, refs_of
from wqscore.refs.model_list import find_listed
from wqscore.refs.reference import Model, ModelRef, Models
from wqscore.scoring.model_score import Failure, ModelScore
from wqscore.scoring.score_checkpoint import Work, score_checkpoint
from wqscore.stores.headers import StoredHeaders

if TYPE_CHECKING:
    from pathlib import Path

    from wqscore.engines.crosscheck import Crosscheck


class RankingInterrupted(KeyboardInterrupt):
    """Ctrl-C during `rank`: `ranking` holds the models already scored, and lists the others as failed."""

    def __init__(self, ranking: Ranking) -> None:
        super().__init__("interrupted")
        self.ranking = ranking


@takes_settings
def score(
    model: Model,
    *,
    config: Any = None,
    name: str | None = None,
    settings: Settings | None = None,
    progress: RankProgress | None = None,
    **changes: Unpack[SettingsKeywords],
) -> ModelScore:
    """Score one model; `store=wqscore.store().path` looks up and keeps results in the store of the command line.

    Args:
        model: a Hub id (`org/name`, `org/name@revision`), an alias, the path of a folder or weight file; or a model
            in memory: a torch module, a state dict, or a dict of names and arrays, which may be nested.
        config: the configuration of a model in memory, as a dict or as transformers has it; a module's own if `None`.
            Without one, roles follow from names.
        name: what to call a model in memory; its class if `None`.
        settings: what to compute and how; the usual settings if `None`.
        progress: receives progress.
        **changes: settings by name, over those of `settings`: preset, metrics, base, family, layers, roles, gauge,
            engine, seed, bootstrap, gof, stream, store, verify, jobs, memory, backend, device, precision. `Settings`
            says what each is.

    Returns:
        A row for each matrix and each skipped tensor, and the model's summary.

    Raises:
        UsageError: an unknown reference, preset or metric, no cluster that answers, or no GPU.
        StoreError: the store can't be opened.
        CheckpointError: a model that can't be found, fetched or read.

    Example:
        `wqscore.score("./my-model", seed=3).summary.statistics["alpha"].median`
    """
    models = [model] if config is None and name is None else [as_ref(model, config, name)]
    with started(models, changed(settings, changes), progress) as run:
        return _score(run.models[0], run)


@takes_settings
def rank(
    models: Models,
    *,
    by: str | None = None,
    across_families: bool = False,
    evidence: str | None = None,
    spread: Sequence[Path | str] = (),
    settings: Settings | None = None,
    progress: RankProgress | None = None,
    **changes: Unpack[SettingsKeywords],
) -> Ranking:
    """Score several models and rank them; one that fails is listed with its reason and stops no other.

    Args:
        models: the models, as for `score`, or a dict of names and models; one named twice counts once. A folder of a
            training run, without weights but with checkpoints in it, stands for these, in order of step.
        by: the metric to rank by, any of the registry. `auto`, which `None` means, is the one that the record of
            decisions calls informative for such models, else alpha; a preset other than `default` has its own.
        across_families: rank models of all families together, which means little, instead of each family by itself.
        evidence: a table of the record to take odds from instead of all others, or `none` for no odds.
        spread: folders or files that `wqscore symmetry` wrote of some of the models: a difference smaller than either
            model's number moves by itself is a tie.
        settings: as for `score`, the same for all models.
        progress: receives progress.
        **changes: as for `score`. With `stream` the base's tensors are read again for each model.

    Raises:
        UsageError: an unknown reference, metric or preset, no cluster that answers, or no GPU; no model has been
            scored then.
        CheckpointError: the base can't be found, fetched or read.
        RankingInterrupted: Ctrl-C; a `KeyboardInterrupt` that carries the ranking so far.

    Example:
        `wqscore.rank(["bert-base", "roberta-base"]).to_frame()`
    """
    chosen = changed(settings, changes)
    spreads = read_gauge_spreads(spread)
    lore, automatic = load_lore(evidence), by in (None, AUTO) and preset_of(chosen) == DEFAULT
    by = preset_of(chosen).by if by in (None, AUTO) else find_metric(by).name
    with started(_each(models, progress), chosen, progress, by) as run:
        scores, failures, interrupt = _score_all(run)
        unrelated = unrelated_families(scores, run)
    choice = ""
    if automatic and lore is not None:
        by, choice = choose_metric(scores, run.preset, lore)
    scores = widened(scores, spreads, by, [model.label for model in run.models])
    ranking = rank_models(scores, by, run.preset, run.metrics, chosen.seed, failures, across_families)
    ranking = replace(ranking, unrelated=unrelated)
    if lore is not None:
        ranking = with_odds(ranking, lore, choice)
    if interrupt is not None:
        raise RankingInterrupted(ranking) from interrupt
    return ranking


def crosscheck(ref: Model, *, jobs: int | None = None, progress: RankProgress | None = None) -> Crosscheck:
    """Score one model with the preset `ww-0.7` and with the real WeightWatcher, and compare them.

    Args:
        ref: the model, as for `score`.
        jobs: threads of wqscore; all cores if `None`.
        progress: receives wqscore's progress.

    Raises:
        UsageError: an unknown reference, or WeightWatcher is not installed.
        CheckpointError: a model that can't be found, fetched or read by one of the two.
    """
    from wqscore.engines import crosscheck as crosschecking
    from wqscore.engines.weightwatcher import COMPARED, check_installed, run_weightwatcher

    check_installed()
    model = as_ref(ref)
    model_progress = progress.model(model) if progress else None
    checkpoint = _downloaded(model, progress)
    ours = score_checkpoint(
        checkpoint, preset=WW_0_7, metrics=COMPARED, work=Work(Resources(jobs), progress=model_progress)
    )
    if progress:
        progress.crosschecking(model)
    return crosschecking.crosscheck(ours, run_weightwatcher(checkpoint))


def _each(models: Models, progress: RankProgress | None) -> list[ModelRef]:
    """The models, folders of checkpoints expanded; what was found in them goes to the progress."""
    expanded = expand_runs(refs_of(models))
    if progress:
        for line in expanded.lines:
            progress.note(line)
    return list(expanded.refs)


def declared_family(ref: ModelRef) -> str:
    """The family that a model list gives the model: its own list, else a shipped one; empty if none does."""
    listed = find_listed(ref.repo) if ref.repo else None
    return ref.family or (listed and listed.family) or ""


def _score_all(run: Run) -> tuple[list[ModelScore], list[Failure], KeyboardInterrupt | None]:
    """The scores, the failures, and the Ctrl-C that stopped the run, if one did."""
    scores: list[ModelScore] = []
    failures: list[Failure] = []
    for index, model in enumerate(run.models):
        try:
            scores.append(_score(model, run))
        except CheckpointError as error:
            failures.append(run.failure(model, error))
        except KeyboardInterrupt as interrupt:
            failures += [Failure(rest, "interrupted before it was scored") for rest in run.models[index:]]
            return scores, failures, interrupt
    return scores, failures, None


def _score(model: ModelRef, run: Run) -> ModelScore:
    progress = run.progress.model(model) if run.progress else None
    family = run.settings.family or declared_family(model)
    with own_errors(model):
        if run.settings.engine == "weightwatcher":
            from wqscore.engines.rows import weightwatcher_score

            return weightwatcher_score(_downloaded(model, run.progress), family, run.metrics, run.settings.seed)
        known = StoredHeaders(run.store) if run.store and not run.settings.verify else None
        checkpoint = open_or_fall_back(model, run.settings.stream, run.progress, known)
        work = Work(run.resources, run.settings.device, run.settings.precision, run.cache, progress, run.note)
        try:
            return score_checkpoint(
                in_gauge(checkpoint, run.settings.gauge),
                family,
                run.preset,
                run.metrics,
                run.sampling,
                run.base,
                work,
                run.selection,
            )
        finally:
            let_go(checkpoint)


def _downloaded(model: ModelRef, progress: RankProgress | None) -> Checkpoint:
    """A checkpoint whose files are on disk, as WeightWatcher needs them."""
    if model.memory is not None:
        raise UsageError(f"{model.label} is in memory, and WeightWatcher reads files: save it first")
    return open_checkpoint(model, progress.fetching if progress else None)

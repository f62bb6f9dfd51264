"""The public functions: score one model, rank several, describe one without reading its weights."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from wqscore.checkpoints.checkpoint import Checkpoint
from wqscore.checkpoints.opening import open_checkpoint, open_headers
from wqscore.describing import ModelDescription, describe_checkpoint
from wqscore.errors import CheckpointError
from wqscore.metrics.registry import find_metric
from wqscore.model_lists import find_listed
from wqscore.presets import find_preset
from wqscore.ranking import Failure, Ranking, rank_models
from wqscore.refs import ModelRef, parse_ref
from wqscore.scoring import ModelScore, ScoreProgress, score_checkpoint


class RankingInterrupted(KeyboardInterrupt):
    """Ctrl-C during `rank`: `ranking` holds what was scored before, the rest as failed."""

    def __init__(self, ranking: Ranking) -> None:
        super().__init__("interrupted")
        self.ranking = ranking


class RankProgress(Protocol):
    """Told how far a ranking is."""

    def model(self, ref: ModelRef) -> ScoreProgress | None:
        """Called before each model; what it returns is told how far that model is."""

    def fetching(self, file: str, size: int) -> None:
        """Called before each download, with the file's name and bytes."""

    def failed(self, failure: Failure) -> None:
        """Called when a model could not be scored."""


def score(
    ref: str | ModelRef,
    *,
    preset: str = "default",
    seed: int = 0,
    jobs: int | None = None,
    progress: RankProgress | None = None,
) -> ModelScore:
    """Score one model.

    Args:
        ref: a Hub id (`org/name`, `org/name@revision`), an alias, a folder or a weight file.
        preset: the constants: `default` or `ww-0.7`.
        seed: the seed of every random step, recorded in the result.
        jobs: threads; all cores if `None`. The result is the same for any number.
        progress: told what is done.

    Returns:
        A row for each matrix and each skipped tensor, and the model's summary.

    Raises:
        UsageError: a reference or preset that means nothing.
        CheckpointError: a model that can't be found, fetched or read.

    Example:
        `wqscore.score("./my-model").summary.statistics["alpha"].median`
    """
    chosen = find_preset(preset)
    model = _parsed(ref)
    model_progress = progress.model(model) if progress else None
    try:
        checkpoint = open_checkpoint(model, progress.fetching if progress else None)
        return score_checkpoint(checkpoint, family_of(checkpoint), chosen, jobs, seed, model_progress)
    except MemoryError as error:
        raise CheckpointError(f"{model.label}: not enough memory: score it alone with --jobs 1") from error


def rank(
    refs: Iterable[str | ModelRef],
    *,
    by: str = "alpha",
    preset: str = "default",
    seed: int = 0,
    jobs: int | None = None,
    progress: RankProgress | None = None,
) -> Ranking:
    """Score several models and rank them; one that fails is listed with its reason and stops no other.

    Args:
        refs: the models, as for `score`; one named twice counts once.
        by: the metric to rank by, any of the registry.
        preset: the constants, the same for all; its headline statistic ranks.
        seed: the seed of every random step.
        jobs: threads; all cores if `None`.
        progress: told what is done.

    Raises:
        UsageError: a reference, metric or preset that means nothing; nothing has been scored then.
        RankingInterrupted: Ctrl-C; a `KeyboardInterrupt` that carries the ranking so far.

    Example:
        `wqscore.rank(["bert-base", "roberta-base"]).to_frame()`
    """
    chosen = find_preset(preset)
    find_metric(by)
    models: dict[object, ModelRef] = {}
    for model in map(_parsed, refs):
        models.setdefault((model.repo, model.revision, model.path), model)
    scores: list[ModelScore] = []
    failures: list[Failure] = []
    waiting = list(models.values())
    try:
        while waiting:
            try:
                scores.append(score(waiting[0], preset=preset, seed=seed, jobs=jobs, progress=progress))
            except CheckpointError as error:
                failures.append(Failure(waiting[0], str(error)))
                if progress:
                    progress.failed(failures[-1])
            waiting.pop(0)
    except KeyboardInterrupt as interrupt:
        failures += [Failure(model, "interrupted before it was scored") for model in waiting]
        raise RankingInterrupted(rank_models(scores, by, chosen, seed, failures)) from interrupt
    return rank_models(scores, by, chosen, seed, failures)


def describe(ref: str | ModelRef, *, preset: str = "default") -> ModelDescription:
    """List a model's tensors and what scoring would do with each, from the files' headers alone.

    Args:
        ref: the model, as for `score`; from the Hub only headers are fetched.
        preset: the preset to plan for.

    Raises:
        UsageError: a reference or preset that means nothing.
        CheckpointError: a model that can't be found or read.
    """
    chosen = find_preset(preset)
    return describe_checkpoint(open_headers(_parsed(ref)), chosen)


def family_of(checkpoint: Checkpoint) -> str:
    """A model's family: its list's, or that of the shipped list it is in, or its architecture's name."""
    if checkpoint.ref.family:
        return checkpoint.ref.family
    listed = find_listed(checkpoint.ref.repo) if checkpoint.ref.repo else None
    if listed is not None:
        return listed.family or ""
    model_type = checkpoint.config.get("model_type")
    return model_type if isinstance(model_type, str) else ""


def _parsed(ref: str | ModelRef) -> ModelRef:
    return parse_ref(ref) if isinstance(ref, str) else ref

"""Who is ahead: scored models in order, with ties, and those that can't be ranked with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isclose, isfinite
from typing import TYPE_CHECKING, Literal

from wqscore.errors import UsageError
from wqscore.metrics.metric import Metric
from wqscore.metrics.registry import CORE, find_metric
from wqscore.presets import DEFAULT, Preset
from wqscore.refs import ModelRef
from wqscore.scoring import ModelScore

if TYPE_CHECKING:
    import pandas as pd

#: A model with less of its weights behind its score is not ranked.
MIN_COVERAGE = 0.5
#: Nor is one with a larger share of its matrices `random`.
MAX_RANDOM = 0.5
#: Scores closer than this, relatively, are one: the same weights stored transposed differ by about 1e-12.
_SAME = 1e-9

Status = Literal["ranked", "unranked", "failed"]


@dataclass(frozen=True)
class Failure:
    """A model that was asked for and could not be scored, and why in one line."""

    ref: ModelRef
    reason: str


@dataclass(frozen=True)
class RankedModel:
    """One row of a ranking.

    Attributes:
        ref: what was asked for.
        status: `ranked`, `unranked` (scored, but its score can't be trusted with a rank) or `failed`.
        rank: 1 is best; models whose scores are equal share the best of their ranks. `None` without one.
        tied: whether another model has the same rank.
        reason: why it has no rank; empty for `ranked`.
        score: the scored model, `None` if it failed.
    """

    ref: ModelRef
    status: Status
    rank: int | None
    tied: bool
    reason: str
    score: ModelScore | None


@dataclass(frozen=True)
class Ranking:
    """Models ranked by one metric, all scored with one preset and seed.

    Attributes:
        by: the metric; its registry entry says which way is better.
        preset: the preset, whose headline statistic ranks.
        metrics: names of the metrics that were asked for, in the order of their columns.
        seed: the seed of every random step.
        models: ranked models first, best first; then the unranked, then the failed, in the order asked for.
    """

    by: Metric
    preset: Preset
    metrics: tuple[str, ...]
    seed: int
    models: tuple[RankedModel, ...]

    @property
    def scores(self) -> tuple[ModelScore, ...]:
        """The scored models in the ranking's order."""
        return tuple(model.score for model in self.models if model.score is not None)

    def to_frame(self) -> pd.DataFrame:
        """The rows of `ranking.csv` as a pandas table."""
        from wqscore.rendering.frame import ranking_frame

        return ranking_frame(self)

    def to_csv(self) -> str:
        """The text of `ranking.csv`."""
        from wqscore.rendering.csv import ranking_csv

        return ranking_csv(self)

    def to_html(self) -> str:
        """The report: one self-contained HTML page."""
        from wqscore.rendering.html.report import report_html

        return report_html(self)


def rank_models(
    scores: Sequence[ModelScore],
    by: str = "alpha",
    preset: Preset = DEFAULT,
    metrics: Sequence[str] = CORE,
    seed: int = 0,
    failures: Sequence[Failure] = (),
) -> Ranking:
    """Rank scored models.

    Args:
        scores: the models, all scored with `preset`, `metrics` and `seed`.
        by: one of the metrics.
        preset: its headline statistic ranks.
        metrics: names of the metrics that were asked for.
        seed: the seed of every random step.
        failures: models that could not be scored, listed last.

    Raises:
        UsageError: an unknown metric, or one that was not computed; a model scored with another preset, seed,
            engine or choice of metrics.
    """
    metric = find_metric(by)
    if any(score.preset != preset or score.seed != seed for score in scores):
        raise UsageError("scores of different presets or seeds can't share a ranking: score all models alike")
    if any(score.metrics != tuple(metrics) for score in scores):
        raise UsageError("scores with different metrics can't share a ranking: score all models alike")
    if len({score.engine for score in scores}) > 1:
        raise UsageError("scores of different engines can't share a ranking: score all models alike")
    if by not in metrics:
        raise UsageError(f"{by} is not among the metrics that were computed: score the models with it")
    reasons = [_why_unranked(score, metric, preset) for score in scores]
    able = [score for score, reason in zip(scores, reasons, strict=True) if not reason]
    models = [
        *_in_order(able, metric, preset),
        *(
            RankedModel(score.ref, "unranked", None, False, reason, score)
            for score, reason in zip(scores, reasons, strict=True)
            if reason
        ),
        *(RankedModel(failure.ref, "failed", None, False, failure.reason, None) for failure in failures),
    ]
    return Ranking(metric, preset, tuple(metrics), seed, tuple(models))


def rank_alone(score: ModelScore) -> Ranking:
    """The ranking of one model, for a report: by its preset's metric, or the first where that was not computed."""
    by = score.preset.by if score.preset.by in score.metrics else score.metrics[0]
    return rank_models([score], by, score.preset, score.metrics, score.seed)


def _why_unranked(score: ModelScore, metric: Metric, preset: Preset) -> str:
    summary = score.summary
    if summary.n_matrices == 0:
        return "no matrix that belongs in an average"
    if summary.coverage < MIN_COVERAGE:
        return f"only {summary.coverage:.0%} of its weights have a fit, less than {MIN_COVERAGE:.0%}"
    if summary.n_random > summary.n_matrices * MAX_RANDOM:
        return f"{summary.n_random} of its {summary.n_matrices} matrices can't be told from noise"
    if not isfinite(summary.headline(metric.name, preset)):
        value = summary.values.get(metric.name)
        return f"{metric.name} is not defined{f': {value.reason}' if value else ' for any of its matrices'}"
    return ""


def _in_order(scores: Sequence[ModelScore], metric: Metric, preset: Preset) -> list[RankedModel]:
    sign = 1 if metric.better == "lower" else -1
    ordered = sorted(scores, key=lambda score: sign * score.summary.headline(metric.name, preset))
    values = [score.summary.headline(metric.name, preset) for score in ordered]
    ranks: list[int] = []
    for position, value in enumerate(values):
        same = position > 0 and isclose(value, values[position - 1], rel_tol=_SAME)
        ranks.append(ranks[-1] if same else position + 1)
    return [
        RankedModel(score.ref, "ranked", rank, ranks.count(rank) > 1, "", score)
        for score, rank in zip(ordered, ranks, strict=True)
    ]

"""Who is ahead: scored models in order, with ties, and those that can't be ranked with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import isclose, isfinite
from typing import TYPE_CHECKING, Literal

from wqscore.consistency import compare_all
from wqscore.errors import UsageError
from wqscore.metrics.metric import MatrixMetric, Metric
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
        rank: 1 is best of its family, or of all; models whose scores are equal share the best of their ranks. `None`
            without one.
        tied: whether another model has the same rank.
        best: the best rank it could have: 1 and as many more as models are ahead of it beyond doubt.
        worst: the worst, likewise.
        ties: numbers of the groups of models it is in that can't be told apart, none of them from any other.
        reason: why it has no rank; empty for `ranked`.
        score: the scored model, `None` if it failed.
    """

    ref: ModelRef
    status: Status
    rank: int | None
    tied: bool
    best: int | None
    worst: int | None
    ties: tuple[int, ...]
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
        across_families: whether models of different families share ranks, which mean little then.
        models: ranked models first, family by family and best first; then the unranked, then the failed, in the order
            asked for.
    """

    by: Metric
    preset: Preset
    metrics: tuple[str, ...]
    seed: int
    across_families: bool
    models: tuple[RankedModel, ...]

    @property
    def families(self) -> tuple[str, ...]:
        """The families of the ranked models, each once; the empty name for models of which none is known."""
        return tuple(dict.fromkeys(model.score.family for model in self.models if model.rank and model.score))

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
    across_families: bool = False,
) -> Ranking:
    """Rank scored models.

    Args:
        scores: the models, all scored with `preset`, `metrics` and `seed`.
        by: one of the metrics.
        preset: its headline statistic ranks.
        metrics: names of the metrics that were asked for.
        seed: the seed of every random step.
        failures: models that could not be scored, listed last.
        across_families: rank all together; else each family by itself, in the order in which they come up.

    Raises:
        UsageError: an unknown metric, or one that was not computed; a model scored with another preset, seed,
            engine or choice of metrics.
    """
    metric = find_metric(by)
    if any(score.preset != preset or score.seed != seed for score in scores):
        raise UsageError("scores of different presets or seeds can't share a ranking: score all models alike")
    if any(score.metrics != tuple(metrics) for score in scores):
        raise UsageError("scores with different metrics can't share a ranking: score all models alike")
    if len({score.sampling for score in scores}) > 1:
        raise UsageError("scores of different --bootstrap or --gof can't share a ranking: score all models alike")
    if len({score.engine for score in scores}) > 1:
        raise UsageError("scores of different engines can't share a ranking: score all models alike")
    if by not in metrics:
        raise UsageError(f"{by} is not among the metrics that were computed: score the models with it")
    reasons = [why_unranked(score, metric, preset) for score in scores]
    able = [score for score, reason in zip(scores, reasons, strict=True) if not reason]
    groups = dict.fromkeys("" if across_families else score.family for score in able)
    models = [
        *(
            model
            for group in groups
            for model in _in_order(
                [score for score in able if across_families or score.family == group], metric, preset, seed
            )
        ),
        *(
            RankedModel(score.ref, "unranked", None, False, None, None, (), reason, score)
            for score, reason in zip(scores, reasons, strict=True)
            if reason
        ),
        *(
            RankedModel(failure.ref, "failed", None, False, None, None, (), failure.reason, None)
            for failure in failures
        ),
    ]
    return Ranking(metric, preset, tuple(metrics), seed, across_families, tuple(models))


def rank_alone(score: ModelScore) -> Ranking:
    """The ranking of one model, for a report: by its preset's metric, or the first where that was not computed."""
    by = score.preset.by if score.preset.by in score.metrics else score.metrics[0]
    return rank_models([score], by, score.preset, score.metrics, score.seed)


def why_unranked(score: ModelScore, metric: Metric, preset: Preset) -> str:
    """Why a model's number can't be trusted with a rank; empty if it can."""
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


def _in_order(scores: Sequence[ModelScore], metric: Metric, preset: Preset, seed: int) -> list[RankedModel]:
    sign = 1 if metric.better == "lower" else -1
    ordered = sorted(scores, key=lambda score: sign * score.summary.headline(metric.name, preset))
    values = [score.summary.headline(metric.name, preset) for score in ordered]
    ranks: list[int] = []
    for position, value in enumerate(values):
        ranks.append(ranks[-1] if position > 0 and _same(value, values[position - 1]) else position + 1)
    apart = _apart(ordered, metric, values, seed)
    groups = _groups(len(ordered), apart)
    return [
        RankedModel(
            ref=score.ref,
            status="ranked",
            rank=rank,
            tied=ranks.count(rank) > 1,
            best=1 + sum((other, place) in apart for other in range(place)),
            worst=len(ordered) - sum((place, other) in apart for other in range(place + 1, len(ordered))),
            ties=tuple(number for number, group in enumerate(groups, 1) if place in group),
            reason="",
            score=score,
        )
        for place, (score, rank) in enumerate(zip(ordered, ranks, strict=True))
    ]


def _apart(
    ordered: Sequence[ModelScore], metric: Metric, values: Sequence[float], seed: int
) -> frozenset[tuple[int, int]]:
    """The places i < j of models that can be told apart: over their layers, where those stand behind the metric."""
    if isinstance(metric, MatrixMetric) and not metric.summed:
        compared = compare_all(ordered, metric.name, seed)
        return frozenset(places for places, difference in compared.items() if not difference.tied)
    return frozenset((i, j) for i, j in combinations(range(len(values)), 2) if not _same(values[i], values[j]))


def _groups(count: int, apart: frozenset[tuple[int, int]]) -> list[range]:
    """The longest runs of two and more neighbours of which none can be told from any other."""
    groups: list[range] = []
    for first in range(count):
        last = first
        while last + 1 < count and not any((other, last + 1) in apart for other in range(first, last + 1)):
            last += 1
        if last > first and not (groups and last < groups[-1].stop):
            groups.append(range(first, last + 1))
    return groups


def _same(value: float, other: float) -> bool:
    return isclose(value, other, rel_tol=_SAME)

"""Rank scored models, with ties; list those that can't be ranked with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, isnan
from typing import TYPE_CHECKING, Literal

from wqscore.cached_property import cached_property
from wqscore.errors import UsageError
from wqscore.metrics.metric import Metric
from wqscore.metrics.registry import CORE, find_metric
from wqscore.presets.preset import Preset
from wqscore.presets.registry import DEFAULT
from wqscore.ranking.conclusion import Conclusion, answers_of, conclude
from wqscore.ranking.families import resolve_families
from wqscore.ranking.lineage import Unrelated
from wqscore.ranking.odds import Odds
from wqscore.ranking.ranked_model import Pair, RankedModel
from wqscore.ranking.ranks import Rank, place_models
from wqscore.ranking.reading import reading
from wqscore.ranking.steps import Trend, find_trends
from wqscore.ranking.tie_groups import tie_label
from wqscore.rendering.numbers import counted
from wqscore.results import Result, opened, rendered
from wqscore.scoring.model_score import Failure, ModelScore

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

#: A model with less of its weights behind its score is not ranked.
MIN_COVERAGE = 0.5
#: Nor is one with a larger share of its matrices `random`.
MAX_RANDOM = 0.5


@dataclass(frozen=True, repr=False)
class Ranking(Result):
    """Models ranked by one metric, all scored with one preset and seed.

    Attributes:
        by: the metric; its registry entry says which way is better.
        preset: the preset, whose headline statistic ranks.
        metrics: names of the requested metrics, in the order of their columns.
        seed: the seed of every random step.
        across_families: whether models of different families share ranks, which mean little then.
        models: ranked models first, family by family and best first; then the unranked, then the failed, in the
            requested order.
        pairs: every two models that share ranks, in the order of the models; none where the metric is one of the
            whole model, which says nothing of layers.
        odds: what a record of decisions says of neighbours; `None` without a record.
        unrelated: families that are declared, and whose models share no weights; only what a store's sketches show.
    """

    by: Metric
    preset: Preset
    metrics: tuple[str, ...]
    seed: int
    across_families: bool
    models: tuple[RankedModel, ...]
    pairs: tuple[Pair, ...]
    odds: Odds | None = None
    unrelated: tuple[Unrelated, ...] = ()

    def __repr__(self) -> str:
        """How many models of how many families, and the kind of the conclusion."""
        answer = {"clear": f"{', '.join(self.conclusion.best):.80} is ahead", "tie": "no clear winner"}
        kind = answer.get(self.conclusion.kind, self.conclusion.kind)
        families = f"{len(self.families)} {'family' if len(self.families) == 1 else 'families'}"
        return f"<Ranking of {counted(len(self.models), 'model')} in {families} by {self.by.name}: {kind}>"

    @property
    def gauge(self) -> str:
        """The form of the weights that was scored: `none` for the stored one, or `balanced`."""
        return next((score.gauge for score in self.scores), "none")

    @property
    def families(self) -> tuple[str, ...]:
        """The families of the ranked models, each once; an empty name for each model of which none is known."""
        names = [model.family for model in self.models if model.rank]
        return (*dict.fromkeys(filter(None, names)), *(name for name in names if not name))

    @cached_property
    def conclusion(self) -> Conclusion:
        """What the ranking answers, in one sentence: which model to take, or why none can be named."""
        found = conclude(self.models, self.by, self.preset, self.across_families)
        return found.with_odds(self.odds) if self.odds else found

    @cached_property
    def answers(self) -> tuple[Conclusion, ...]:
        """The answers of the conclusion by family, without the models that have no rank; none where none has one."""
        found = answers_of(self.models, self.by, self.preset, self.across_families)
        odds = self.odds
        return tuple(each.with_odds(odds) for each in found) if odds else found

    @cached_property
    def trends(self) -> tuple[Trend, ...]:
        """The metric over the steps of each training run of which two checkpoints or more are ranked."""
        return find_trends(self.models, self.pairs, self.by, self.preset)

    @property
    def scores(self) -> tuple[ModelScore, ...]:
        """The scored models in the ranking's order."""
        return tuple(model.score for model in self.models if model.score is not None)

    def plot(self, chart: Literal["intervals", "roles", "depth"] = "intervals") -> alt.TopLevelMixin:
        """Draw the ranking as an Altair chart; `chart.save("x.svg")` writes it.

        Args:
            chart: `intervals`, each model's number with its interval, an axis for each family; `roles`, the metric
                layer by layer, a panel for each role; or `depth`, the same in one panel.

        Raises:
            UsageError: there is no such chart, or the metric has no values of single matrices.
            CheckpointError: no model has a number to draw.
        """
        drawn: alt.TopLevelMixin = opened(self, "chart", chart)
        return drawn

    def pairs_frame(self) -> pd.DataFrame:
        """The rows of `pairs.csv` as a pandas table: how every two models ranked together differ."""
        frame: pd.DataFrame = rendered(self, "pairs-frame")
        return frame

    def pairs_csv(self) -> str:
        """The text of `pairs.csv`."""
        return str(rendered(self, "pairs-csv"))


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
        metrics: names of the requested metrics.
        seed: the seed of every random step.
        failures: models that could not be scored, listed last.
        across_families: rank all models together; by default each family by itself, in order of appearance, unless
            no two models share one.

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
    if len({score.gauge for score in scores}) > 1:
        raise UsageError("scores of different gauges can't share a ranking: score all models with one --gauge")
    if len({score.precision for score in scores}) > 1:
        raise UsageError("scores of different --precision can't share a ranking: score all models alike")
    if by not in metrics:
        raise UsageError(f"{by} is not among the metrics that were computed: score the models with it")
    reasons = [why_unranked(score, metric, preset) for score in scores]
    able = [score for score, reason in zip(scores, reasons, strict=True) if not reason]
    families = resolve_families(able)
    across_families = across_families or (len(able) > 1 and not _share_one(families))
    comparable: dict[str | int, list[int]] = {}
    for place, family in enumerate(families):
        # A model of unknown family is comparable with none.
        comparable.setdefault("" if across_families else family or place, []).append(place)
    models: list[RankedModel] = []
    pairs: list[Pair] = []
    groups = 0
    for members in comparable.values():
        placing = place_models([able[member] for member in members], metric, preset)
        family_of = {id(able[member]): families[member] for member in members}
        models += [_ranked(place, family_of[id(place.score)], groups, metric) for place in placing.places]
        pairs += [
            Pair(placing.places[i].score.ref, placing.places[j].score.ref, difference)
            for (i, j), difference in placing.differences.items()
        ]
        groups += len({group for place in placing.places for group in place.ties})
    models += [
        RankedModel(
            score.ref,
            score.family,
            "unranked",
            None,
            False,
            None,
            None,
            (),
            reason,
            score,
            score.summary.interval(by),
        )
        for score, reason in zip(scores, reasons, strict=True)
        if reason
    ]
    models += [
        RankedModel(failure.ref, "", "failed", None, False, None, None, (), failure.reason, None)
        for failure in failures
    ]
    return Ranking(metric, preset, tuple(metrics), seed, across_families, tuple(models), tuple(pairs))


def _share_one(families: Sequence[str]) -> bool:
    """Whether two models have one family; an unknown one, the empty name, is nobody else's."""
    known = [family for family in families if family]
    return len(set(known)) < len(known)


def _ranked(place: Rank, family: str, groups: int, metric: Metric) -> RankedModel:
    """A ranked model, its tie groups lettered after those of earlier families."""
    return RankedModel(
        ref=place.score.ref,
        family=family,
        status="ranked",
        rank=place.rank,
        tied=place.tied,
        best=place.best,
        worst=place.worst,
        ties=tuple(tie_label(groups + number) for number in place.ties),
        reason="",
        score=place.score,
        interval=place.score.summary.interval(metric.name),
        warning=reading(place.score, metric, place.score.preset) if place.best == 1 else "",
    )


def rank_alone(score: ModelScore) -> Ranking:
    """The ranking of one model, for a report: by its preset's metric, or the first where that was not computed."""
    by = score.preset.by if score.preset.by in score.metrics else score.metrics[0]
    return rank_models([score], by, score.preset, score.metrics, score.seed)


def why_unranked(score: ModelScore, metric: Metric, preset: Preset) -> str:
    """Why a model's number can't be trusted with a rank; empty if it can."""
    summary = score.summary
    coverage = summary.coverage if metric.needs_fit else summary.coverage_without_fit
    if summary.uncounted:
        first = summary.uncounted[0]
        return f"its coverage is not known: {first.name}: {first.reason}"
    if isnan(coverage) or (metric.needs_fit and summary.n_matrices == 0):
        return "no matrix that belongs in an average"
    if coverage < MIN_COVERAGE:
        what = "have a fit" if metric.needs_fit else "have eigenvalues"
        return f"only {coverage:.0%} of its weights {what}, less than {MIN_COVERAGE:.0%}"
    if summary.n_random > summary.n_matrices * MAX_RANDOM:
        return f"{summary.n_random} of its {summary.n_matrices} matrices can't be told from noise"
    if not isfinite(summary.headline(metric.name, preset)):
        value = summary.values.get(metric.name)
        of_matrices = f" for any of its matrices{f': {metric.undefined}' if metric.cost == 'base' else ''}"
        return f"{metric.name} is not defined{f': {value.reason}' if value else of_matrices}"
    return ""

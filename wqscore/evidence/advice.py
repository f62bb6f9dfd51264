"""The odds of one ranking: what the record says of its neighbours, of size, and of which metric to rank by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import isclose
from typing import Literal

from wqscore.evidence.kinds import KINDS, PLURAL, Kind
from wqscore.evidence.kinship import kind_between, traits_of
from wqscore.evidence.lore import Lore
from wqscore.evidence.odds import SIZE, probability
from wqscore.evidence.record import scored_by
from wqscore.metrics.metric import Metric
from wqscore.metrics.registry import METRICS
from wqscore.presets.preset import Preset
from wqscore.ranking.conclusion import by_family
from wqscore.ranking.families import resolve_families
from wqscore.ranking.odds import Odds, PairOdds
from wqscore.ranking.ranked_model import RankedModel
from wqscore.ranking.ranking import Ranking, why_unranked
from wqscore.ranking.short_names import short_names
from wqscore.refs.steps import step_of
from wqscore.scoring.model_score import ModelScore

#: In place of a metric: the one that the record calls informative.
AUTO = "auto"
#: What is ranked by where the record knows nothing better.
USUAL = "alpha"
#: Odds closer to one half than this are a toss-up.
_TOSS_UP = 0.05
#: Odds are told in tenths up to here, and in hundredths beyond.
_TENTHS = 0.945


def with_odds(ranking: Ranking, lore: Lore, choice: str = "") -> Ranking:
    """A ranking with the odds of its neighbours; its ranks stay.

    Args:
        ranking: the ranking.
        lore: what is known of metrics.
        choice: why it is ranked by this metric, if the user did not name it.
    """
    if not ranking.by.claims:
        return replace(ranking, odds=Odds(lore.version, choice, (), {}))
    ranked = [model for model in ranking.models if model.rank is not None]
    names = dict(zip(map(id, ranking.models), short_names([model.ref for model in ranking.models]), strict=True))
    pairs: list[PairOdds] = []
    sizes: dict[str, str] = {}
    for members in [ranked] if ranking.across_families and ranked else by_family(ranked):
        pairs += [_pair(ranking, pair, (names[id(pair[0])], names[id(pair[1])]), lore) for pair in pairwise(members)]
        if line := _size_line([(names[id(model)], model.score) for model in members], lore):
            sizes["" if ranking.across_families else members[0].family] = line
    return replace(ranking, odds=Odds(lore.version, choice, tuple(pairs), sizes))


def choose_metric(scores: Sequence[ModelScore], preset: Preset, lore: Lore) -> tuple[str, str]:
    """Which of the computed metrics to rank by, and why in a sentence.

    The metric that chooses best, of those that the record calls informative in their own direction, for every kind of
    decision between two models of a family at hand; alpha if there is none. Size never ranks.

    Args:
        scores: the models.
        preset: their preset.
        lore: what is known of metrics; the development families alone decide.

    Returns:
        The metric, and a sentence; an empty one where there is nothing to choose between.
    """
    able = [score for score in scores if not why_unranked(score, METRICS[USUAL], preset)]
    if len(able) > 1 and all(step_of(score.ref) for score in able):
        return USUAL, f"Ranked by {USUAL}, whose course over the steps is drawn."
    kinds = _kinds(able)
    if None in kinds or not kinds:
        return USUAL, "" if not kinds else _no_metric("models that differ as these do")
    best: tuple[float, str] | None = None
    for name in (name for name in able[0].metrics if METRICS[name].summarised):
        entries = [lore.chosen(name, kind) for kind in kinds if kind is not None]
        if all(entry and entry.informative and entry.slope > 0 for entry in entries):
            loss = max(entry.log_loss.mean for entry in entries if entry)
            best = min(filter(None, (best, (loss, name))))
    what = " and of ".join(PLURAL[kind] for kind in kinds if kind is not None)
    if best is None:
        return USUAL, _no_metric(what)
    return best[1], f"Ranked by {best[1]}, which has chosen best between {what} in the record."


def _no_metric(what: str) -> str:
    return f"Ranked by {USUAL}, by tradition: no metric is known to choose between {what}."


def _kinds(scores: Sequence[ModelScore]) -> list[Kind | None]:
    """The kinds of decision between neighbours by the usual metric in each family, each once and in one order.

    Of neighbours alone: every pair of hundreds of models would take longer than their ranking.
    """
    families: dict[str, list[ModelScore]] = {}
    ordered = sorted(scores, key=lambda score: score.summary.headline(USUAL, score.preset))
    for family, score in zip(resolve_families(ordered), ordered, strict=True):
        families.setdefault(family, []).append(score)
    pairs = [pair for family, members in families.items() if family for pair in pairwise(members)]
    if not pairs and len(scores) > 1:
        return ["across"]
    found = {kind_between(traits_of(a), traits_of(b)) for a, b in pairs}
    return [kind for kind in (None, *KINDS) if kind in found]


def _pair(ranking: Ranking, models: tuple[RankedModel, RankedModel], names: tuple[str, str], lore: Lore) -> PairOdds:
    first, second = models
    assert first.score is not None and second.score is not None, "a ranked model is scored"
    kind: Kind | None = "across"
    if first.family == second.family:
        kind = kind_between(traits_of(first.score), traits_of(second.score))
    known = PairOdds(first.ref.label, second.ref.label, first.family, kind or "", None, 0, "")
    gap = _gap(first.score, second.score, ranking.by, ranking.preset)
    found = odds_of_gap(gap, kind, ranking.by.name, ranking.preset, first.score.family_id, lore)
    return replace(known, odds=found.odds, families=found.families, text=f"Odds: {found.between(*names)}.")


@dataclass(frozen=True)
class Judged:
    """What the record says of one gap.

    Attributes:
        odds: probability that the model ahead is the better one; `None` where the record can't tell.
        families: number of families that this rests on.
        verdict: whether there are odds; if not, whether that is a toss-up or nothing is known.
        basis: what it rests on.
    """

    odds: float | None
    families: int
    verdict: Literal["odds", "toss-up", "unknown"]
    basis: str

    def between(self, ahead: str, behind: str) -> str:
        """The same of two models, without a full stop."""
        if self.odds is not None:
            return f"{in_ten(self.odds)} that {ahead} is better than {behind}, from {self.basis}"
        if self.verdict == "unknown":
            return f"unknown whether {ahead} is better than {behind}; {self.basis}"
        return f"a toss-up whether {ahead} is better than {behind}; {self.basis}"


def odds_of_gap(gap: float, kind: Kind | None, metric: str, preset: Preset, family: str, lore: Lore) -> Judged:
    """What the record says of a gap between two models.

    Args:
        gap: how far one of them is ahead, in the direction that the metric claims.
        kind: what makes them differ.
        metric: the metric.
        preset: the preset of its values.
        family: their `family_id`, of which the user may have added models.
        lore: what is known of metrics.
    """
    if kind is None:
        return Judged(None, 0, "unknown", "the record has no decisions between models that differ as these do")
    entry, label = lore.entry(metric, kind), preset.label(metric)
    unit = entry.scales.get(scored_by(preset.name)) if entry else None
    if entry is None or unit is None:
        of_preset = "" if preset.name == "default" else f" scored with the preset {preset.name}"
        return Judged(None, 0, "unknown", f"the record has no {label} of {PLURAL[kind]}{of_preset}")
    slope, mine = lore.slope(entry, family)
    basis = f"{entry.families} families of {PLURAL[kind]}"
    if mine:
        basis = f"your {mine} models of this family and {basis}"
    elif not entry.informative:
        right = f"{label} was right in {round(100 * entry.agreement.share)} of 100 decisions, over {basis}"
        if entry.beats_the_coin:
            return Judged(None, entry.families, "unknown", f"{right}, but not as often as its odds said")
        return Judged(None, entry.families, "toss-up", right)
    odds = probability(gap / unit, slope)
    if abs(odds - 0.5) < _TOSS_UP:
        return Judged(None, entry.families, "toss-up", f"their {label} differs too little, going by {basis}")
    return Judged(odds, entry.families, "odds", basis)


def _gap(first: ModelScore, second: ModelScore, by: Metric, preset: Preset) -> float:
    """How far the first is ahead."""
    sign = 1 if by.better == "higher" else -1
    return sign * (first.summary.headline(by.name, preset) - second.summary.headline(by.name, preset))


def in_ten(odds: float) -> str:
    """Odds in words: in tenths, or in hundredths where tenths would say 0 or 10.

    Example:
        >>> in_ten(0.71), in_ten(0.97), in_ten(0.28)
        ('7 in 10', '97 in 100', '3 in 10')
    """
    return f"{round(odds * 10)} in 10" if 1 - _TENTHS < odds < _TENTHS else f"{round(odds * 100)} in 100"


def _size_line(models: Sequence[tuple[str, ModelScore | None]], lore: Lore) -> str:
    """What size alone says of a family; empty where all have one size, or the record knows nothing of it."""
    sized = [(name, score.parameters) for name, score in models if score is not None and score.parameters]
    entry = lore.entry(SIZE, "size")
    if len(sized) < 2 or entry is None or not entry.informative:
        return ""
    name, largest = max(sized, key=lambda each: each[1])
    others = [size for other, size in sized if other != name]
    if all(isclose(largest, size, rel_tol=0.05) for size in others):
        return ""
    right = f"the larger model has been the better one in {round(100 * entry.agreement.share)} of 100 decisions"
    return f"By size alone: {name} is the largest; {right} between models of different size."

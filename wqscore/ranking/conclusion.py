"""What a ranking answers: which model to take, or why none can be named. Every format shows the same sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal

from wqscore.metrics.metric import MatrixMetric, Metric
from wqscore.presets.preset import Preset
from wqscore.ranking.odds import Odds
from wqscore.ranking.precision import decimals_of
from wqscore.ranking.ranked_model import RankedModel
from wqscore.ranking.short_names import short_names
from wqscore.rendering.numbers import rounded

Kind = Literal["clear", "tie", "alone", "families", "unranked", "across", "order", "no-interval", "failed"]

_CHOOSE = "by something else: validation loss, size, licence."
#: More names than this are counted.
_MAX_NAMES = 3
#: Sizes that differ by less are one size.
_SAME_SIZE = 1.05


@dataclass(frozen=True)
class Conclusion:
    """The answer of a ranking.

    Attributes:
        kind: `clear` (one model can be best), `tie` (several can), `alone` (nothing to compare with), `families` (an
            answer for each family), `unranked`, `across` (families ranked together), `order` (the metric claims
            nothing about quality), `no-interval` (nothing says how sure the order is) or `failed`.
        best: the models that can be best, by name; empty where models can't be compared.
        text: the answer, one or two sentences.
        family: the family that it is about; empty for all models.
        families: an answer for each family, for `families`.
        odds: what a record of decisions adds, a sentence each; it changes no rank.
    """

    kind: Kind
    best: tuple[str, ...]
    text: str
    family: str = ""
    families: tuple[Conclusion, ...] = ()
    odds: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """The kind, and how the answer begins."""
        return f"<Conclusion {self.kind}: {self.text:.120}>"

    @property
    def lines(self) -> tuple[str, ...]:
        """The answer, under it those for the families, and the odds of each."""
        return (self.text, *(line for each in self.families for line in each.lines), *self.odds)

    def document(self) -> dict[str, Any]:
        """The conclusion as JSON."""
        head = {"family": self.family} if self.family else {}
        parts = {"families": [each.document() for each in self.families]} if self.families else {}
        odds = {"odds": list(self.odds)} if self.odds else {}
        return {**head, "kind": self.kind, "best": list(self.best), "text": self.text, **odds, **parts}

    def with_odds(self, odds: Odds) -> Conclusion:
        """The same with the odds of the first two of each family, what size says, and why this metric ranks."""
        if self.families:
            families = tuple(each.with_odds(replace(odds, choice="")) for each in self.families)
            return replace(self, families=families, odds=tuple(filter(None, [odds.choice])))
        own = [pair for pair in odds.pairs if pair.family == self.family or self.kind == "across"]
        lines = [*(pair.text for pair in own[:1]), odds.size.get(self.family, ""), odds.choice]
        return replace(self, odds=tuple(filter(None, lines)))


@dataclass(frozen=True)
class _Words:
    """What the sentences are made of: the names of models, and the words for the metric."""

    metric: Metric
    preset: Preset
    names: dict[int, str]

    @property
    def label(self) -> str:
        return self.preset.label(self.metric.name)

    @property
    def most(self) -> str:
        return "lowest" if self.metric.better == "lower" else "highest"

    @property
    def beside(self) -> str:
        return "below" if self.metric.better == "lower" else "above"

    def name(self, model: RankedModel) -> str:
        return self.names[id(model)]

    def values(self, models: Sequence[RankedModel]) -> list[str]:
        """The models' numbers, with as many decimals as the widest of their intervals deserves."""
        decimals = decimals_of(models)
        return [rounded(_headline(model, self), decimals) for model in models]

    def value_and_ends(self, model: RankedModel, beside: Sequence[RankedModel] = ()) -> str:
        """A model's number and the ends of its interval, if it has one, as precise as those beside it."""
        decimals = decimals_of([model, *beside])
        value = rounded(_headline(model, self), decimals)
        if model.interval is None:
            return value
        return f"{value} ({rounded(model.interval.lo, decimals)} to {rounded(model.interval.hi, decimals)})"


def conclude(models: Sequence[RankedModel], metric: Metric, preset: Preset, across_families: bool) -> Conclusion:
    """Draw the conclusion of a ranking.

    A model can be best if its best possible rank is 1: no other is ahead of it beyond doubt.

    Args:
        models: the rows of the ranking, in its order.
        metric: the metric that ranks.
        preset: the preset whose headline ranks.
        across_families: whether families share ranks.
    """
    words = _words(models, metric, preset)
    ranked = [model for model in models if model.status == "ranked"]
    others = [model for model in models if model.status != "ranked"]
    if not ranked:
        return _without_ranks(others, words)
    answer = _answer(ranked, words, across_families)
    text = " ".join(filter(None, [answer.text, _left_out(others, words)]))
    return Conclusion(answer.kind, answer.best, text, answer.family, answer.families)


def answers_of(
    models: Sequence[RankedModel], metric: Metric, preset: Preset, across_families: bool
) -> tuple[Conclusion, ...]:
    """The answers for the families of a ranking, or the one for all; arguments as for `conclude`.

    Models without a rank are in none; there are no answers where no model has one.
    """
    ranked = [model for model in models if model.status == "ranked"]
    if not ranked:
        return ()
    answer = _answer(ranked, _words(models, metric, preset), across_families)
    return answer.families or (answer,)


def _words(models: Sequence[RankedModel], metric: Metric, preset: Preset) -> _Words:
    return _Words(metric, preset, dict(zip(map(id, models), short_names([m.ref for m in models]), strict=True)))


def _answer(ranked: Sequence[RankedModel], words: _Words, across_families: bool) -> Conclusion:
    groups = by_family(ranked)
    if across_families and len(groups) > 1:
        first, of = ranked[0], f"{len(ranked)} models of {len(groups)} families"
        text = f"{words.name(first)} has the {words.most} {words.label} of {of}, {words.values([first])[0]}. "
        caution = f"{_capitalised(words.label)} is not known to compare families: don't choose by this alone."
        return Conclusion("across", (), text + caution)
    answers = tuple(_of_family(group, words) for group in groups)
    if len(answers) == 1:
        return answers[0]
    text = f"{len(ranked)} models of {len(groups)} families: models of different families can't be compared."
    return Conclusion("families", (), text, families=answers)


def _of_family(members: Sequence[RankedModel], words: _Words) -> Conclusion:
    """The answer for the models of one family, best first."""
    first, family = members[0], members[0].family
    if words.metric.cost == "base":
        moved = f"{words.name(first)} moved least ({words.label} {words.values([first])[0]})"
        text = f"Ordered by distance from {first.score.base if first.score else ''}: {moved}."
        return Conclusion("order", (), text, family)
    if not words.metric.claims:
        return Conclusion("order", (), f"Ordered by {words.label}, which makes no claim about quality.", family)
    if len(members) == 1:
        text = f"{words.name(first)} is alone in its family: there is nothing to compare it with. "
        text += f"Its {words.label} is {words.value_and_ends(first)}."
        return Conclusion("alone", (first.ref.label,), text, family)
    if not isinstance(words.metric, MatrixMetric):
        text = f"{words.name(first)} has the {words.most} {words.label}, {words.values([first])[0]}. "
        text += "A metric of the whole model has no interval, so a tie can't be ruled out."
        return Conclusion("no-interval", (first.ref.label,), text, family)
    leaders = [model for model in members if model.best == 1]
    best = tuple(model.ref.label for model in leaders)
    sentence = _clear(members, words) if len(leaders) == 1 else _tie(members, leaders, words)
    is_odd = len(leaders) == 1 and first.warning
    doubt = " That is outside the range which is read as quality: see the warning." if is_odd else ""
    same = " Size alone gives the same order." if _ordered_by_size(members) else ""
    return Conclusion("clear" if len(leaders) == 1 else "tie", best, sentence + doubt + same, family)


def _clear(members: Sequence[RankedModel], words: _Words) -> str:
    first, *others = members
    if len(others) == 1:
        one, other = words.value_and_ends(first, others), words.value_and_ends(others[0], members)
        head = f"{words.name(first)} has the {words.metric.better} {words.label}, {one}"
        return f"{head}, clearly {words.beside} {words.name(others[0])}'s {other}."
    head = f"{words.name(first)} has the {words.most} {words.label}, {words.value_and_ends(first)}"
    return f"{head}, clearly {words.beside} the other {len(others)} {_models_of(first.family)}."


def _tie(members: Sequence[RankedModel], leaders: Sequence[RankedModel], words: _Words) -> str:
    values = words.values(leaders)
    numbers = list(dict.fromkeys(values))
    span = numbers[0] if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"
    if len(leaders) == len(members):
        every = f"the {len(members)} {_models_of(members[0].family)}"
        which = every if len(members) > 2 else " and ".join(map(words.name, members))
        return f"No clear winner: {which} can't be told apart ({words.label} {span}). Choose {_CHOOSE}"
    names = [words.name(model) for model in leaders]
    each = " and ".join(values) if len(leaders) == 2 else span
    return (
        f"No clear winner: {len(leaders)} of the {len(members)} {_models_of(members[0].family)} are tied for first, "
        f"{_joined(names)} ({words.label} {each}). Choose between them {_CHOOSE}"
    )


def _without_ranks(others: Sequence[RankedModel], words: _Words) -> Conclusion:
    reasons = [_named_reason(model, words) for model in others if model.status == "unranked"]
    if not reasons:
        return Conclusion("failed", (), "No model could be scored: see the reasons above.")
    return Conclusion("unranked", (), f"No model can be ranked: {'; '.join(reasons)}.")


def _left_out(others: Sequence[RankedModel], words: _Words) -> str:
    """A sentence on the models without a rank; empty for none."""
    parts: list[str] = []
    for status, verb in (("unranked", "not ranked"), ("failed", "not be scored")):
        left = [model for model in others if model.status == status]
        if left:
            shown = "; ".join(_named_reason(model, words) for model in left[:_MAX_NAMES])
            more = f"; and {len(left) - _MAX_NAMES} more" if len(left) > _MAX_NAMES else ""
            helper = "could" if status == "failed" else "was" if len(left) == 1 else "were"
            noun = "" if parts else " model" if len(left) == 1 else " models"
            parts.append(f"{len(left)}{noun} {helper} {verb} ({shown}{more})")
    return f"{' and '.join(parts)}." if parts else ""


def _named_reason(model: RankedModel, words: _Words) -> str:
    """Why a model has no rank, after its name; a reason that names its files needs no other name."""
    reason = model.reason.removeprefix(f"{model.ref.label}: ").rstrip(".")
    return reason if model.ref.label in reason else f"{words.name(model)}: {reason}"


def by_family(ranked: Sequence[RankedModel]) -> list[list[RankedModel]]:
    """Models by family, in order; a model of unknown family is a group of its own."""
    groups: dict[str | int, list[RankedModel]] = {}
    for model in ranked:
        groups.setdefault(model.family or id(model), []).append(model)
    return list(groups.values())


def _ordered_by_size(members: Sequence[RankedModel]) -> bool:
    """Whether each model is clearly larger than the next one."""
    sizes = [model.score.parameters if model.score else None for model in members]
    return all(a is not None and b is not None and a > b * _SAME_SIZE for a, b in pairwise(sizes))


def _models_of(family: str) -> str:
    return f"models of family {family}" if family else "models"


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]


def _joined(names: Sequence[str]) -> str:
    if len(names) > _MAX_NAMES:
        return f"{', '.join(names[:_MAX_NAMES])} and {len(names) - _MAX_NAMES} more"
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _headline(model: RankedModel, words: _Words) -> float:
    assert model.score is not None, "a ranked model is scored"
    return model.score.summary.headline(words.metric.name, words.preset)

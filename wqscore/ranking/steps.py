"""A metric over the steps of a training run, and where it turns: falls until a step and rises after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from wqscore.metrics.metric import Metric
from wqscore.presets.preset import Preset
from wqscore.ranking.precision import decimals_of
from wqscore.ranking.ranked_model import Pair, RankedModel
from wqscore.refs.steps import run_of, step_of
from wqscore.rendering.numbers import rounded

#: `turns` (better until a step, worse after it), `levels` (better until a step, no change beyond doubt after it),
#: `worsens` (no better beyond doubt before its best step, worse after it), `flat` (no change beyond doubt), `unknown`
#: (nothing tells a change from chance).
Course = Literal["turns", "levels", "worsens", "flat", "unknown"]


@dataclass(frozen=True)
class Trend:
    """The checkpoints of one run in order of step.

    Attributes:
        run: the run's folder or repository, as typed.
        unit: what its steps count.
        steps: the steps, ascending.
        models: the ranked model of each.
        values: the number that ranks each.
        best: the place of the lowest value, of a metric of which lower is better; of the highest otherwise.
        course: whether the metric turns there, beyond doubt.
        first: the place of the first checkpoint from which on, up to `best`, none differs from the best beyond doubt.
        last: the place of the last such after `best`.
        unranked: steps of checkpoints that have no rank, which tell nothing of the course.
        text: the course in a sentence.
    """

    run: str
    unit: str
    steps: tuple[int, ...]
    models: tuple[RankedModel, ...]
    values: tuple[float, ...]
    best: int
    course: Course
    first: int
    last: int
    unranked: tuple[int, ...]
    text: str

    def document(self) -> dict[str, Any]:
        """The trend as JSON; `turning_point` is `null` where there is none beyond doubt."""
        turns = self.course == "turns"
        between = [self.steps[self.first], self.steps[self.last]]
        point = {"step": self.steps[self.best], "between": between} if turns else None
        return {
            "run": self.run,
            "unit": self.unit,
            "steps": list(self.steps),
            "values": list(self.values),
            "unranked": list(self.unranked),
            "intervals": [model.interval for model in self.models],
            "best_step": self.steps[self.best],
            "course": self.course,
            "turning_point": point,
            "text": self.text,
        }


def find_trends(
    models: Sequence[RankedModel], pairs: Sequence[Pair], metric: Metric, preset: Preset
) -> tuple[Trend, ...]:
    """Follow the metric that ranks over each run of which two checkpoints or more have a rank.

    A checkpoint is better or worse than another beyond doubt where the ranking's own test of the pair says so, with
    its correction for all pairs.

    Args:
        models: the rows of the ranking.
        pairs: its pairs.
        metric: the metric that ranks.
        preset: the preset whose headline ranks.
    """
    runs: dict[tuple[str, str], dict[int, RankedModel]] = {}
    for model in models:
        step = step_of(model.ref)
        if step is not None:
            runs.setdefault((run_of(model.ref), step.unit), {}).setdefault(step.number, model)
    tested = _Tested(
        metric, preset, frozenset((id(pair.ahead), id(pair.behind)) for pair in pairs if not pair.difference.tied)
    )
    return tuple(
        _trend(run, unit, dict(sorted(found.items())), tested if pairs else replace(tested, apart=None))
        for (run, unit), found in sorted(runs.items())
        if sum(model.status == "ranked" for model in found.values()) > 1
    )


@dataclass(frozen=True)
class _Tested:
    """What decides on the course: the metric, and which models are ahead of which beyond doubt; `None` untested."""

    metric: Metric
    preset: Preset
    apart: frozenset[tuple[int, int]] | None


def _trend(run: str, unit: str, found: dict[int, RankedModel], tested: _Tested) -> Trend:
    ranked = {step: model for step, model in found.items() if model.status == "ranked"}
    unranked = tuple(step for step in found if step not in ranked)
    steps, models = tuple(ranked), tuple(ranked.values())
    metric, preset, apart = tested.metric, tested.preset, tested.apart
    values = tuple(model.score.summary.headline(metric.name, preset) for model in models if model.score is not None)
    best = values.index(min(values) if metric.better == "lower" else max(values))
    worse = [apart is not None and (id(models[best].ref), id(model.ref)) in apart for model in models]
    first = max((place + 1 for place in range(best) if worse[place]), default=0)
    last = min((place - 1 for place in range(best + 1, len(steps)) if worse[place]), default=len(steps) - 1)
    course: Course = "unknown" if apart is None else _course(any(worse[:best]), any(worse[best + 1 :]))
    decimals = decimals_of(models)
    shown = [rounded(value, decimals) for value in values]
    text = _sentence(preset.label(metric.name), metric.better, unit, steps, shown, course, (best, first, last))
    if unranked:
        text += f"; without a rank: {unit}{'s' * (len(unranked) > 1)} {', '.join(map(str, unranked))}"
    return Trend(run, unit, steps, models, values, best, course, first, last, unranked, text)


def _course(before: bool, after: bool) -> Course:
    """The course of a metric that is worse before its best step, and after it, beyond doubt."""
    if before:
        return "turns" if after else "levels"
    return "worsens" if after else "flat"


def _sentence(
    label: str,
    better: str,
    unit: str,
    steps: Sequence[int],
    values: Sequence[str],
    course: Course,
    places: tuple[int, int, int],
) -> str:
    best, first, last = places
    falls, rises, lowest = ("falls", "rises", "lowest") if better == "lower" else ("rises", "falls", "highest")
    at = f"{unit} {steps[best]}"
    head = f"{label} is {lowest} at {at} ({values[best]})"
    if course == "turns":
        span = f"; {unit}s {steps[first]} to {steps[last]} can't be told from it"
        return f"{label} {falls} until {at} ({values[best]}) and {rises} after it{span if first < last else ''}"
    if course == "unknown":
        return f"{head}; nothing tells a turning point from chance"
    if course == "flat":
        return f"{head}, but no {unit} differs from it beyond doubt: no turning point beyond doubt"
    if course == "worsens":
        return f"{head} and {rises} after it; no earlier {unit} is worse beyond doubt: no turning point beyond doubt"
    if best == len(steps) - 1:
        return f"{label} still {falls} at the last {unit}, {steps[best]} ({values[best]}): no turning point"
    end = f"{label} {falls} until {unit} {steps[first]}; no later {unit} differs beyond doubt from the {lowest}"
    return f"{end}, {values[best]} at {at}: no turning point beyond doubt"

"""What a run's metrics say, in sentences: where they turn, alpha under 2, traps, metrics that go the other way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wqscore.escaping import listed
from wqscore.fits.interval import MIN_VALUES
from wqscore.metrics.registry import METRICS
from wqscore.metrics.shape import USUAL_ALPHA
from wqscore.rendering.numbers import counted, figure
from wqscore.studies.track.known import TELLING, WARNING, rho_of
from wqscore.studies.track.track import RunTrack, TurningPoint, headlines
from wqscore.studies.track.turning import MIN_STEPS
from wqscore.studies.watching.documents import metrics_of

#: At most this many names are listed in a sentence.
_NAMED = 6
#: What a turning point is no sign of.
CAVEAT = "Where a metric turns was not compared with any data: it says nothing of when a model is best."
#: What holds of every number over the steps of one run.
DEPENDENT = (
    "Steps of one run depend on each other: no p-value over them is given, and intervals of rho, which take steps as "
    "independent, are too narrow."
)


def conclusion(found: RunTrack) -> list[str]:
    """What it comes to: the course of the metric that ranks, and which metrics turn."""
    run = found.track
    values = headlines(run, run.by)
    scored = f"{counted(len(run.scored), 'checkpoint')} of {len(run.points)} scored"
    if not run.scored:
        return [f"{run.name}: no checkpoint could be scored."]
    lines = [f"{run.name}: {scored}{_course(values, run.by, found.unit)}."]
    if found.turns:
        lines += [f"{turning_text(turn, found)}." for turn in found.turns]
        return [*lines, CAVEAT]
    return [*lines, _why_no_turn(found)]


def turning_text(turn: TurningPoint, found: RunTrack) -> str:
    """A turning point in words."""
    value = headlines(found.track, turn.metric).get(turn.step)
    draws = "in 95 % of draws of its matrices"
    where = f"{found.unit}s {turn.low} to {turn.high} {draws}" if turn.low < turn.high else f"the same {draws}"
    size, width = figure(turn.turn.size), figure(turn.turn.width)
    back = f"comes back by at least {size} on both sides, which is beyond the width of its interval, {width}"
    return f"{turn.metric} is {turn.turn.kind} at {found.unit} {turn.step} ({figure(value)}; {where}) and {back}"


def run_notes(found: RunTrack) -> list[str]:
    """What else is to be said of a run, a line each."""
    notes = [*_low_alpha(found), *_traps(found), *_against(found)]
    if found.figure is not None:
        notes += [*_warned(found), DEPENDENT]
    failed = [f"step {point.step}: {point.reason}" for point in found.track.points if point.status != "scored"]
    return [*notes, *failed, *found.remarks]


def warned(found: RunTrack) -> tuple[str, ...]:
    """The metrics that go with the known figure in another direction than the declared one."""
    return tuple(each.x for each in found.known if each.warning)


def _course(values: Mapping[int, float], metric: str, unit: str) -> str:
    if len(values) < 2:
        return ""
    first, last = min(values), max(values)
    return (
        f"; {metric} goes from {figure(values[first])} at {unit} {first} to {figure(values[last])} at {unit} {last}"
    )


def _why_no_turn(found: RunTrack) -> str:
    scored = [point.document for point in found.track.scored if point.document]
    if len(scored) < MIN_STEPS:
        return f"Fewer than {MIN_STEPS} scored {found.unit}s: no turning point can be told."
    if all("matrices" not in document or not document["matrices"] for document in scored):
        return (
            "The log has no values of matrices, as of an earlier version: no turning point can be told from chance."
        )
    if all(document["n_fitted"] < MIN_VALUES for document in scored):
        return f"Fewer than {MIN_VALUES} matrices: no turning point can be told from chance."
    return "No metric turns by more than its interval."


def _low_alpha(found: RunTrack) -> list[str]:
    """A line where the model's alpha, or that of some of its matrices, is under 2."""
    low = USUAL_ALPHA.low
    values = headlines(found.track, "alpha")
    steps = [step for step, value in values.items() if value < low]
    lines = []
    if steps:
        span = f"{found.unit} {steps[0]}" if len(steps) == 1 else f"{len(steps)} {found.unit}s from {steps[0]} on"
        lines = [
            f"alpha is under {low:g} at {span} ({figure(values[steps[0]])}), which is read as {USUAL_ALPHA.below}"
        ]
    counts = {point.step: _below(point.document or {}, low) for point in found.track.scored}
    if any(counts.values()):
        first = next(step for step, count in counts.items() if count)
        last = max(counts)
        lines.append(
            f"matrices with alpha under {low:g}: from {found.unit} {first} on ({counts[first]}), {counts[last]} at "
            f"the last"
        )
    return lines


def _below(document: Mapping[str, Any], low: float) -> int:
    return sum(each["values"].get("alpha", low) < low for each in document.get("matrices", ()))


def _traps(found: RunTrack) -> list[str]:
    """A line where matrices with the verdict trap appear."""
    counts = {point.step: trap_count(point.document or {}) for point in found.track.scored}
    first = next((step for step, count in counts.items() if count), None)
    if first is None:
        return []
    names = [
        each["name"]
        for point in found.track.scored
        if point.step == first and point.document
        for each in point.document.get("matrices", ())
        if each["verdict"] == "trap"
    ]
    named = f": {listed(names, _NAMED)}" if names else ""
    when = "are there from the first" if first == min(counts) else "appear at"
    return [f"traps {when} {found.unit} {first} ({counts[first]}{named}); {counts[max(counts)]} at the last"]


def trap_count(document: Mapping[str, Any]) -> int:
    """How many matrices of a step have the verdict trap."""
    return int(document.get("verdicts", {}).get("trap", 0))


def _against(found: RunTrack) -> list[str]:
    """A line on the metrics that get worse along the steps, by their declared direction."""
    moved = []
    for name in metrics_of(found.track):
        values = headlines(found.track, name)
        metric = METRICS[name]
        rho = rho_of(list(values.values()), list(values)) if metric.claims else None
        if rho is not None and abs(rho) >= TELLING and (rho > 0) == (metric.better == "lower"):
            moved.append(f"{name} {'rises' if rho > 0 else 'falls'} (rho {rho:+.2f} with the {found.unit})")
    if not moved:
        return []
    return [f"against their declared direction, along the {found.unit}s: {', '.join(moved)}"]


def _warned(found: RunTrack) -> list[str]:
    assert found.figure is not None, "only a known figure warns"
    if not warned(found):
        return []
    rhos = ", ".join(f"{each.x} {each.spearman:+.2f}" for each in found.known if each.warning)
    return [f"{WARNING}: rho with {found.figure.y}, of which {found.figure.better} is better: {rhos}"]

"""The effective width over the steps of a run, in each format, and what it says in sentences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from wqscore.escaping import listed
from wqscore.rendering.numbers import MISSING, counted
from wqscore.rendering.sections import Drawing, Notes, Section
from wqscore.reports.steps import Line, draw_line
from wqscore.studies.track.condensation import CHANGE, TOLERANCE, Condensation
from wqscore.studies.track.known import KnownSteps
from wqscore.studies.track.plateaus import STILL, plateaus
from wqscore.studies.track.track import RunTrack

#: At most this many steps, plateaus or reasons are listed in a sentence.
_NAMED = 6
_TOTALS = ("stored_width", "effective_width")


def width_columns(found: Condensation | None) -> list[str]:
    """The columns of a row: the neurons of all measured pairs, how many are left of them, and of each pair."""
    return [*_TOTALS, *(f"effective_width_{name}" for name in found.pairs)] if found else []


def width_cells(found: Condensation | None, step: int) -> list[int | None]:
    """A step's cells of these columns."""
    if found is None:
        return []
    width = found.widths.get(step)
    if width is None:
        return [None] * len(width_columns(found))
    left = {each.name: each.effective[0] for each in width.measured}
    return [width.stored, width.effective[0], *map(left.get, found.pairs)]


def width_words(found: Condensation | None, step: int) -> list[str]:
    """The same for a person, in one cell: how many neurons are left, and of how many."""
    if found is None:
        return []
    width = found.widths.get(step)
    return [f"{width.effective[0]:,} of {width.stored:,}" if width else MISSING]


def width_keys(found: Condensation | None, step: int) -> dict[str, Any]:
    """The same in the JSON document, with each pair as an object."""
    if found is None:
        return {}
    width = found.widths.get(step)
    pairs = [
        {"name": each.name, "activation": each.activation} | dict(zip(_TOTALS, numbers, strict=True))
        for each in (width.measured if width else ())
        for numbers in [(each.stored, each.effective[0])]
    ]
    return dict(zip(_TOTALS, width_cells(found, step), strict=False)) | {"pairs": pairs}


def run_keys(found: RunTrack) -> dict[str, Any]:
    """What the JSON document has of the whole run."""
    condensation, known = found.condensation, found.figure
    if condensation is None:
        return {}
    still = [{"first": first, "last": last} for first, last in plateaus(known.values if known else {})]
    told = {"tolerance": TOLERANCE, "low": condensation.low, "changed": condensation.changed, "plateaus": still}
    return {"condensation": told}


def condensation_sections(found: RunTrack) -> list[Section]:
    """The share of neurons that is left, drawn over the steps if it moves, and what it says."""
    lines = condensation_notes(found)
    widths = found.condensation.widths if found.condensation else {}
    shares = [width.effective[0] / width.stored for width in widths.values()]
    if len({*shares}) < 2:
        return [Notes(lines)] if lines else []
    drawn = Line([*widths], shares, [None] * len(shares), shares.index(min(shares)), None)
    return [Drawing(f"effective over stored width over the {found.unit}s", partial(draw_line, drawn), lines)]


def condensation_notes(found: RunTrack) -> list[str]:
    """Where neurons do the same, whether a known figure stands still there, and what could not be measured."""
    condensation, lines = found.condensation, []
    if condensation is None:
        return []
    if condensation.widths:
        lines.append(_widths(condensation, found.unit))
        if found.figure is not None:
            lines.append(_beside_plateaus(condensation, found.figure, found.unit))
    of_reason: dict[str, list[int]] = {}
    for step, reasons in condensation.reasons.items():
        for reason in reasons:
            of_reason.setdefault(reason, []).append(step)
    steps = [point.step for point in found.track.points]
    texts = [f"{reason} ({_at(found.unit, _runs(of_steps, steps))})" for reason, of_steps in of_reason.items()]
    return [*lines, *([f"without an effective width: {listed(texts, _NAMED)}"] if texts else [])]


def _widths(found: Condensation, unit: str) -> str:
    """At which steps the effective width is low, and where it changes."""
    steps = [*found.widths]
    ends = [f"{width_words(found, step)[0]} at {unit} {step}" for step in dict.fromkeys([steps[0], steps[-1]])]
    least = min(steps, key=lambda step: min(found.shares[step].values()))
    pair = min(found.widths[least].measured, key=lambda each: found.shares[least][each.name])
    share = f"the least share is {pair.effective[0]:,} of {pair.stored:,} (pair {pair.name}, {unit} {least})"
    said = [f"effective width at a tolerance of {TOLERANCE}: {', '.join(ends)}; {share}"]
    if found.low:
        said.append(f"low (at most half of a pair's most) at {_at(unit, _runs(found.low, steps))}")
    if found.changed:
        said.append(f"changes by a tenth of a pair's neurons or more at {_at(unit, _texts(found.changed))}")
    if len(said) == 1:
        condenses = found.shares[least][pair.name] <= 1 - CHANGE
        usual = "nothing condenses, which is usual for published models"
        said.append("nowhere low, and no change by a tenth" if condenses else usual)
    return "; ".join(said)


def _beside_plateaus(found: Condensation, known: KnownSteps, unit: str) -> str:
    """Whether the plateaus of a known figure are where the effective width is low."""
    runs = plateaus(known.values)
    kind = f"moves by at most {STILL:.0%} of its range from one {unit} to the next".replace("%", " %")
    if not runs:
        return f"{known.y} has no plateau: nowhere it {kind}"
    on = {step: any(first <= step <= last for first, last in runs) for step in found.widths if step in known.values}
    low = [sum(on[step] is there for step in found.low if step in on) for there in (True, False)]
    where = _at(unit, [f"{first} to {last}" for first, last in runs])
    others = len(on) - sum(on.values())
    return (
        f"{known.y} has {counted(len(runs), 'plateau')}, where it {kind}: {where}; the effective width is low at "
        f"{low[0]} of the {sum(on.values())} {unit}s on plateaus, and at {low[1]} of the other {others}"
    )


def _at(unit: str, steps: Sequence[str]) -> str:
    """Steps and runs of steps in words."""
    return f"{unit}{'s' * (len(steps) > 1 or ' ' in steps[0])} {listed(steps, _NAMED)}"


def _runs(chosen: Sequence[int], steps: Sequence[int]) -> list[str]:
    """The chosen ones of some steps; those that follow each other by the first and the last."""
    runs: list[list[int]] = [[]]
    for step in steps:
        if step in chosen:
            runs[-1].append(step)
        elif runs[-1]:
            runs.append([])
    return [" to ".join(_texts(dict.fromkeys([run[0], run[-1]]))) for run in runs if run]


def _texts(steps: Iterable[int]) -> list[str]:
    return [str(step) for step in steps]

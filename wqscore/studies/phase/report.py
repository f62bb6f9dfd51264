"""The output of `phase`: the diagram, a row for each phase, and the correlations within and over sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from math import isfinite
from operator import itemgetter
from typing import Any

import numpy as np

from wqscore.rendering.numbers import MISSING, counted, figure, number
from wqscore.rendering.numbers import Cell as Value
from wqscore.rendering.rows import Rows
from wqscore.rendering.sections import Answer, Drawing, Medium, Notes, Section, Table
from wqscore.rendering.timestamp import created_at
from wqscore.studies.phase.grid import COPIES, MEASURES, NEIGHBOURS
from wqscore.studies.phase.phase import (
    ENDS,
    MEANING,
    NOT_TRAINED,
    Phases,
    PhaseSummary,
)
from wqscore.version import __version__

#: Increases when a field changes its name or its meaning.
SCHEMA_VERSION = 1
#: How a phase is written in the diagram.
SHORT = {ENDS: "ends", NOT_TRAINED: "raw"}
_UNKNOWN = "?"
#: What the words of the diagram mean that name no phase.
LEGEND = {
    "ends": "“ends”: the ends have not converged",
    "raw": "“raw”: not trained",
    _UNKNOWN: "“?”: a number is missing",
}
#: What the cosines of weights are.
MEANINGS = {
    COPIES: f"{COPIES}: of the checkpoints of one cell, the median cosine of their matrices, estimated from sketches",
    NEIGHBOURS: f"{NEIGHBOURS}: the same of a cell's checkpoints and those of the next temperatures at its size",
}
_NAMES = ("size", "temperature", "phase", "good")


def phase_rows(found: Phases) -> Rows:
    """A row for each cell: where it is, its phase, what is good, the measures and the drawn columns."""
    measures = [name for name in MEASURES if name in found.grid.measures]
    maps = [name for name in found.grid.maps if name not in (*measures, *_NAMES, "reason")]
    rows: list[list[Value]] = [
        [
            *(_whole(cell.size), _whole(cell.temperature), cell.phase, cell.good),
            *(number(float(found.grid.measures[name][place])) for name in measures),
            *(number(float(found.grid.maps[name][place])) for name in maps),
            cell.reason or None,
        ]
        for place, cell in enumerate(found.cells)
    ]
    return Rows([*_NAMES, *measures, *maps, "reason"], rows, frozenset({"phase", "reason"}))


def phase_document(found: Phases) -> dict[str, Any]:
    """The JSON document; undefined values are `null`, and nothing here is random."""
    bounds, grid = found.thresholds, found.grid
    return {
        "schema_version": SCHEMA_VERSION,
        "wqscore": __version__,
        "created": created_at().isoformat(),
        "seed": found.seed,
        "size": grid.size_name,
        "temperature": grid.temperature_name,
        "good": grid.good_name or None,
        "thresholds": None
        if bounds is None
        else {"rule": bounds.rule, "sharp": bounds.sharp, "barrier": bounds.barrier, "similar": bounds.similar},
        "cells": [
            {
                "size": _whole(cell.size),
                "temperature": _whole(cell.temperature),
                "phase": cell.phase,
                "good": cell.good,
                "reason": cell.reason or None,
            }
            for cell in found.cells
        ],
        "phases": [_summary(each) for each in found.phases],
        "within": [{"size": _whole(size)} | dict(rhos) for size, rhos in found.within],
        "pooled": dict(found.pooled),
        "maps": {name: [number(float(each)) for each in values] for name, values in grid.maps.items()},
        "models": [
            {
                "model": model.ref.label,
                "revision": model.revision,
                "size": _whole(model.size),
                "temperature": _whole(model.temperature),
                "reason": model.reason or None,
            }
            for model in found.models
        ],
        "notes": phase_notes(found),
    }


def phase_sections(found: Phases, _: Medium) -> list[Section]:
    """The diagram, the phases, the correlations and notes; heat maps where there are no phases."""
    notes = Notes(phase_notes(found))
    if found.thresholds is None:
        return [*(_heat_map(found, name) for name in found.grid.maps), notes]
    return [_phase_table(found), _diagram(found), _correlation_table(found), notes, Answer(answer(found))]


def answer(found: Phases) -> list[str]:
    """What it comes to: the phase with the highest mean of what is good, and the lowest; empty without one."""
    known = [(each.mean, each) for each in found.phases if each.mean is not None]
    if not known:
        return []
    (low, worst), (high, best) = min(known, key=itemgetter(0)), max(known, key=itemgetter(0))
    good = found.grid.good_name
    if len(known) == 1:
        return [f"Every cell with a phase and a {good} is in phase {best.phase} ({MEANING[best.phase]})."]
    return [
        f"Phase {best.phase} ({MEANING[best.phase]}) has the highest mean {good}, {figure(high)} in "
        f"{counted(best.cells, 'cell')}, and {percent(best.share_of_top)} of the best tenth of all cells.",
        f"Phase {worst.phase} ({MEANING[worst.phase]}) has the lowest, {figure(low)} in "
        f"{counted(worst.cells, 'cell')}.",
    ]


def phase_notes(found: Phases) -> list[str]:
    """What the figures rest on, and what they don't say."""
    grid, bounds = found.grid, found.thresholds
    if bounds is None:
        return [
            "no phases: they need columns of the Hessian's largest eigenvalue, mode connectivity and CKA, which are "
            "measured with data on several trained copies of each cell",
            "a heat map shows where a number changes, and says nothing of quality",
            *_of_models(found),
        ]
    lines = [
        f"thresholds ({_RULES[bounds.rule]}): sharp from {figure(bounds.sharp)}, connected within "
        f"±{figure(bounds.barrier)}, similar above {figure(bounds.similar)}; other ones move cells between phases",
        *_beside_size(found),
    ]
    untold = [cell for cell in found.cells if cell.phase is None]
    if untold:
        lines.append(f"cells without a phase: {len(untold)}: {untold[0].reason}")
    if grid.loss is None:
        lines.append(
            "cells that were not trained to the end are sorted like the others: --loss and --trained set them apart"
        )
    return [*lines, *_of_models(found), "the phases sort this grid alone: not tested on your model"]


def _of_models(found: Phases) -> list[str]:
    """What the cosines of weights are, and which checkpoints could not be scored."""
    lines = [f"{MEANINGS[name]}" for name in MEANINGS if name in found.grid.maps and found.models]
    if lines:
        lines.append("networks trained from different starts have a cosine near 0, whatever they compute")
    return [*lines, *(f"without a score: {model.reason}" for model in found.failed)]


def percent(share: float | None) -> str:
    """A share as a percentage, to a whole number; a dash if it is missing."""
    return MISSING if share is None else f"{share:.0%}".replace("%", " %")


def label(value: float) -> str:
    """A size or temperature, without a decimal point where it is whole."""
    return f"{value:.6g}"


def short(phase: str | None) -> str:
    """A phase in at most four characters."""
    return _UNKNOWN if phase is None else SHORT.get(phase, phase)


_RULES: Mapping[str, str] = {"2means": "2-means of this grid", "median": "medians of this grid", "given": "given"}


def _beside_size(found: Phases) -> list[str]:
    """The correlation of the size alone beside the best measure's, over all cells and within a size."""
    alone = found.pooled["size"]
    measured = {name: rho for name, rho in found.pooled.items() if name != "size" and rho is not None}
    if alone is None or not measured:
        return []
    best = max(measured, key=lambda name: abs(measured[name]))
    inside = [rhos[best] for _, rhos in found.within if rhos[best] is not None]
    mean = f", {np.mean([each for each in inside if each is not None]):+z.2f} on average within one" if inside else ""
    return [
        f"{found.grid.size_name} alone has a Spearman correlation of {alone:+z.2f} with {found.grid.good_name}; "
        f"{best}, the furthest from 0, has {measured[best]:+z.2f} over all sizes{mean}"
    ]


def _diagram(found: Phases) -> Drawing:
    names = {short(each.phase): MEANING[each.phase] for each in found.phases}
    lines = [f"{name}: {meaning}" for name, meaning in names.items()]
    shown = [short(cell.phase) for cell in found.cells]
    title = f"phases: {found.grid.size_name} across, {found.grid.temperature_name} down"
    return Drawing(title, partial(draw_grid, found, shown), lines)


def _heat_map(found: Phases, name: str) -> Drawing:
    values = found.grid.maps[name]
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    shown = [tenth(float(value), low, high) for value in values]
    title = f"{name}: {found.grid.size_name} across, {found.grid.temperature_name} down"
    ends = f"0 is {figure(low)}, 9 is {figure(high)}" if finite.size else "no cell has a number"
    return Drawing(title, partial(draw_grid, found, shown), [f"{name}: {ends}"])


def share_of_range(value: float, low: float, high: float) -> float:
    """Where a value lies in a range, 0 to 1; the middle of a range of one value."""
    reach = high / 2 - low / 2  # halves, since the whole may overflow
    return (value / 2 - low / 2) / reach if reach > 0 else 0.5


def tenth(value: float, low: float, high: float) -> str:
    """Which tenth of the range a value lies in, 0 to 9; a question mark where it is missing."""
    return str(min(int(share_of_range(value, low, high) * 10), 9)) if isfinite(value) else _UNKNOWN


def draw_grid(found: Phases, shown: Sequence[str], width: int) -> list[str]:
    """The lines of a diagram: a word for each cell, sizes across and temperatures down.

    Args:
        found: the study.
        shown: the word of each cell, in the grid's order.
        width: characters that a line may have; sizes for which there is no room are left out from the right.
    """
    words = {(cell.size, cell.temperature): word for cell, word in zip(found.cells, shown, strict=True)}
    sizes, temperatures = found.grid.sizes, found.grid.temperatures
    margin = max(map(len, map(label, temperatures)))
    apart = max(map(len, [*map(label, sizes), *shown])) + 1
    fitting = max((width - margin) // apart, 1)
    left_out = len(sizes) - fitting
    lines = [" " * margin + "".join(label(size).rjust(apart) for size in sizes[:fitting])]
    for temperature in temperatures:
        cells = (words.get((size, temperature), "").rjust(apart) for size in sizes[:fitting])
        lines.append(f"{label(temperature).rjust(margin)}{''.join(cells)}".rstrip())
    return [*lines, *([f"{left_out} more to the right"] if left_out > 0 else [])]


def _phase_table(found: Phases) -> Table:
    good = found.grid.good_name or "good"
    columns = ["phase", "what it is", "cells", f"mean {good}", f"max {good}", "of the best tenth"]
    rows = [
        [
            each.phase,
            MEANING[each.phase],
            str(each.cells),
            figure(each.mean),
            figure(each.best),
            percent(each.share_of_top),
        ]
        for each in found.phases
    ]
    return Table("phases", columns, rows, optional=["what it is"], right=columns[2:], markdown_title="above")


def _correlation_table(found: Phases) -> Table:
    columns = [found.grid.size_name, *MEASURES, "size alone"]
    rows = [[label(size), *(_rho(rhos[name]) for name in MEASURES), MISSING] for size, rhos in found.within]
    rows.append(["all", *(_rho(found.pooled[name]) for name in (*MEASURES, "size"))])
    title = f"Spearman's rho with {found.grid.good_name or 'good'}, within one {found.grid.size_name} and over all"
    return Table(title, columns, rows, optional=["log_hessian_trace"], right=columns, markdown_title="above")


def _summary(each: PhaseSummary) -> dict[str, Any]:
    return {
        "phase": each.phase,
        "cells": each.cells,
        "mean": each.mean,
        "max": each.best,
        "share_of_top": each.share_of_top,
    }


def _rho(value: float | None) -> str:
    return MISSING if value is None else f"{value:+z.2f}"


def _whole(value: float) -> int | float:
    return int(value) if value.is_integer() else value

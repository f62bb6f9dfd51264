"""The HTML page of a grid: the diagram of phases, what is in each, and heat maps of its numbers."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from wqscore.escaping import printable
from wqscore.rendering.html import charts
from wqscore.rendering.html.page import environment, still_page
from wqscore.rendering.numbers import figure
from wqscore.studies.phase.charts import diagram, heat_map
from wqscore.studies.phase.grid import MEASURES
from wqscore.studies.phase.phase import MEANING, Phases
from wqscore.studies.phase.report import LEGEND, answer, label, percent, phase_notes, share_of_range, short

#: More heat maps would make the page too large.
_MAX_MAPS = 24
#: More cells have no room for their numbers.
_MAX_WRITTEN = 400


def phases_html(found: Phases) -> str:
    """Render a study as one self-contained HTML page, which fetches nothing and runs no code.

    Raises:
        UsageError: SOURCE_DATE_EPOCH is not a number of seconds.
    """
    names = list(found.grid.maps)
    return still_page(
        environment(__package__, figure=figure, percent=percent, label=label, rho=_rho),
        "phases.html.j2",
        found=found,
        grid=found.grid,
        meaning=MEANING,
        measures=MEASURES,
        notes=[printable(note) for note in phase_notes(found)],
        answer=[printable(line) for line in answer(found)],
        legend=[LEGEND[word] for word in LEGEND if word in {short(cell.phase) for cell in found.cells}],
        diagram=_diagram(found),
        maps=[(name, *_range(found, name), _heat_map(found, name)) for name in names[:_MAX_MAPS]],
        left_out=names[_MAX_MAPS:],
    )


def _diagram(found: Phases) -> Markup | None:
    if found.thresholds is None:
        return None
    cells = [
        {
            "size": label(cell.size),
            "temperature": label(cell.temperature),
            "phase": cell.phase,
            "short": short(cell.phase),
        }
        for cell in found.cells
    ]
    return Markup(charts.to_svg(diagram(*_axes(found)), {"cells": cells}))


def _heat_map(found: Phases, name: str) -> Markup:
    low, high = _range(found, name)
    written = len(found.cells) <= _MAX_WRITTEN
    cells = [
        {
            "size": label(cell.size),
            "temperature": label(cell.temperature),
            "share": share_of_range(value, low, high),
            "shown": f"{value:.3g}" if written else "",
        }
        for cell, value in zip(found.cells, map(float, found.grid.maps[name]), strict=True)
        if np.isfinite(value)
    ]
    return Markup(charts.to_svg(heat_map(*_axes(found)), {"cells": cells}))


def _range(found: Phases, name: str) -> tuple[float, float]:
    finite = found.grid.maps[name][np.isfinite(found.grid.maps[name])]
    return (float(finite.min()), float(finite.max())) if finite.size else (float("nan"), float("nan"))


def _axes(found: Phases) -> tuple[str, str, list[str], list[str]]:
    grid = found.grid
    return grid.size_name, grid.temperature_name, [*map(label, grid.sizes)], [*map(label, grid.temperatures)]


def _rho(value: float | None) -> str:
    return "–" if value is None else f"{value:+z.2f}"

"""The HTML page of a width: the share of each block's neurons that is left by tolerance, and the tables."""

from __future__ import annotations

from markupsafe import Markup

from wqscore.escaping import printable
from wqscore.rendering.html import charts
from wqscore.rendering.html.study_page import Figure, study_page
from wqscore.rendering.html.vega_lite import Spec, field
from wqscore.studies.width.report import width_sections
from wqscore.studies.width.width import Width

#: More blocks have no room in a chart.
_MAX_BLOCKS = 40
_MAX_NAME = 40


def width_html(found: Width) -> str:
    """Render a study as one self-contained HTML page, which fetches nothing and runs no code.

    Raises:
        UsageError: SOURCE_DATE_EPOCH is not a number of seconds.
    """
    figures = [_figure(found)] if 0 < len(found.measured) <= _MAX_BLOCKS else []
    return study_page("width", found.ref.label, width_sections(found, "notebook"), figures)


def _figure(found: Width) -> Figure:
    tolerances = [str(tolerance) for tolerance in found.tolerances]
    # Two may be cut to the same.
    names = [_short(f"{place} {block.name}") for place, block in enumerate(found.measured, 1)]
    cells = [
        {"block": name, "tolerance": tolerance, "gone": 1 - left / (block.stored or 1), "shown": f"{left:,}"}
        for name, block in zip(names, found.measured, strict=True)
        for tolerance, left in zip(tolerances, block.effective, strict=True)
    ]
    drawing = charts.to_svg(widths(tolerances, names), {"cells": cells})
    caption = "The neurons that are left of each block, by tolerance: the stronger the colour, the smaller the share"
    return Figure(caption, f"{caption}; width.csv has the numbers", Markup(drawing))


def widths(tolerances: list[str], names: list[str]) -> Spec:
    """A heat map of blocks and tolerances. Dataset: `cells` (block, tolerance, gone: the share; shown)."""
    x = field("tolerance:O", title="tolerance", sort=tolerances, axis={"labelAngle": 0, "grid": False})
    y = field("block:O", title=None, sort=names, axis={"labelLimit": 260, "labelOverlap": "greedy", "grid": False})
    return charts.shaded_cells("gone", x, y, font=9)


def _short(name: str) -> str:
    shown = printable(name)
    return shown if len(shown) <= _MAX_NAME else f"{shown[: _MAX_NAME - 1]}…"

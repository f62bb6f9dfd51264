"""The charts of a grid as Vega-Lite specifications without data: the diagram of phases, and heat maps."""

from __future__ import annotations

from collections.abc import Sequence

from wqscore.escaping import printable
from wqscore.rendering.html.charts import finish, shaded_cells
from wqscore.rendering.html.palette import BLUE, GREEN, ORANGE, PINK, SKY, VERMILLION
from wqscore.rendering.html.vega_lite import Spec, field, layer, mark
from wqscore.studies.phase.phase import (
    ENDS,
    FLAT_ALIKE,
    FLAT_APART,
    FLAT_UNLIKE,
    NOT_TRAINED,
    SHARP_APART,
    SHARP_CONNECTED,
)

#: The colour of each phase; its name is written in the cell too.
COLOURS = {
    SHARP_APART: VERMILLION,
    SHARP_CONNECTED: ORANGE,
    FLAT_APART: PINK,
    FLAT_UNLIKE: SKY,
    FLAT_ALIKE: GREEN,
    ENDS: BLUE,
    NOT_TRAINED: "#8C8C8C",
}
_MAX_TITLE = 40


def diagram(size: str, temperature: str, sizes: Sequence[str], temperatures: Sequence[str]) -> Spec:
    """Return the diagram of phases.

    Dataset: `cells` (size, temperature: as labels; phase, short).

    Args:
        size: the title of the horizontal axis.
        temperature: the title of the vertical axis.
        sizes: the labels across, ascending.
        temperatures: the labels down.
    """
    x, y = _axes(size, temperature, sizes, temperatures)
    scale = {"domain": list(COLOURS), "range": list(COLOURS.values())}
    phase = field("phase:N", scale=scale, legend=None)
    words = mark("text", fontSize=10, color="currentColor")
    return finish(
        [
            layer("cells", mark("rect", opacity=0.55), x=x, y=y, color=phase),
            layer("cells", words, x=x, y=y, text=field("short:N")),
        ]
    )


def heat_map(size: str, temperature: str, sizes: Sequence[str], temperatures: Sequence[str]) -> Spec:
    """Return a heat map: the stronger a cell's colour, the larger its value, which is written in it.

    Dataset: `cells` (size, temperature: as labels; value, share: of the range, 0 to 1; shown).

    Args:
        size: the title of the horizontal axis.
        temperature: the title of the vertical axis.
        sizes: the labels across, ascending.
        temperatures: the labels down.
    """
    x, y = _axes(size, temperature, sizes, temperatures)
    return shaded_cells("share", x, y, font=9)


def _axes(size: str, temperature: str, sizes: Sequence[str], temperatures: Sequence[str]) -> tuple[Spec, Spec]:
    axis = {"labelAngle": 0, "labelOverlap": "greedy", "grid": False}
    x = field("size:O", title=_short(size), sort=list(sizes), axis=axis)
    y = field("temperature:O", title=_short(temperature), sort=list(temperatures), axis=axis)
    return x, y


def _short(name: str) -> str:
    shown = printable(name)
    return shown if len(shown) <= _MAX_TITLE else f"{shown[: _MAX_TITLE - 1]}…"

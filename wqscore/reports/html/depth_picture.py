"""Alpha by depth as a picture for each model: the chart of the explorer, drawn without a JavaScript engine.

It looks as Vega draws `charts.alpha_by_depth`, which a test compares it with; that takes a tenth of a second for each
model, and a third more for the first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

from markupsafe import Markup, escape

from wqscore.rendering.html.axes import apart, bands, nice, text_width, ticks
from wqscore.rendering.html.palette import ROLE_MARKS

Row = Mapping[str, Any]

#: The inner part of the picture, and what stands above and below it.
_WIDTH, _HEIGHT = 480, 300
_ABOVE, _BELOW = 11, 38
#: The height of the label above a band.
_LABEL = 21
#: Left of the labels of the vertical axis: the title.
_TITLE = 30
#: Where the legend begins, the height of its rows, and what is beside its words.
_LEGEND, _ROW, _KEYS = 498, 14.7, 20.5
_FONT, _TICKS = 11, 8
#: Radii of a mark and of its copy in the legend: half the roots of their areas.
_MARK, _KEY = sqrt(50) / 2, sqrt(70) / 2
#: No alpha is smaller.
_LEAST = 1.0

_TALL, _ARM = sqrt(3) / 2, 0.4
_CORNERS: Mapping[str, Sequence[tuple[float, float]]] = {
    "square": ((-1, -1), (1, -1), (1, 1), (-1, 1)),
    "diamond": ((-1, 0), (0, -1), (1, 0), (0, 1)),
    "triangle-up": ((0, -_TALL), (-1, _TALL), (1, _TALL)),
    "triangle-down": ((0, _TALL), (-1, -_TALL), (1, -_TALL)),
    "triangle-right": ((_TALL, 0), (-_TALL, -1), (-_TALL, 1)),
    "triangle-left": ((-_TALL, 0), (_TALL, -1), (_TALL, 1)),
    "cross": tuple(
        (x * turn, y * turn)
        for turn in (1, -1)
        for x, y in ((-1, -_ARM), (-1, _ARM), (-_ARM, _ARM), (-_ARM, 1), (_ARM, 1), (_ARM, _ARM))
    ),
}


@dataclass(frozen=True)
class _Frame:
    """Where things stand: alpha from `low` at the bottom to `high` at the top, and the bands of layers across."""

    low: float
    high: float
    starts: Mapping[str, float]
    width: float
    roles: Sequence[str]

    def y(self, alpha: float) -> float:
        return _HEIGHT * (self.high - alpha) / (self.high - self.low)

    def x(self, place: str, role: str | None = None) -> float:
        """The middle of a layer, or of a role's part of it."""
        share = 0.5 if role is None else (self.roles.index(role) + 0.5) / len(self.roles)
        return self.starts[place] + self.width * share


def depth_svg(roles: Sequence[str], layers: Sequence[Row], average: Sequence[Row], band: Sequence[Row]) -> Markup:
    """Draw alpha by depth; the rows are those of the chart's datasets.

    Args:
        roles: those of the matrices, in the legend's order.
        layers: the matrices, at least one.
        average: the model's alpha, if it has one.
        band: the usual range, if there is one.
    """
    frame = _frame(roles, layers, average, band)
    left = round(_TITLE + max(text_width(label, _FONT) for _, label in ticks(frame.low, frame.high, _TICKS)))
    right = _KEYS + max(text_width(role, _FONT) for role in roles)
    above = round(max([_ABOVE, *(_LABEL - frame.y(row["hi"]) for row in band)]))
    width, height = round(left + _LEGEND + right), above + _HEIGHT + _BELOW
    parts = [*_axes(frame), *_band(frame, band), *_intervals(frame, layers), *_average(frame, average)]
    parts += [*_marks(frame, layers), *_legend(roles)]
    return Markup(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
        f'<g fill="none" font-family="sans-serif" font-size="{_FONT}px" transform="translate({left},{above})">'
        f"{''.join(parts)}</g></svg>"
    )


def _frame(roles: Sequence[str], layers: Sequence[Row], average: Sequence[Row], band: Sequence[Row]) -> _Frame:
    drawn = [row[key] for row in (*layers, *average, *band) for key in ("alpha", "hi") if row.get(key) is not None]
    places = dict(sorted(((row["place"], row["order"]) for row in layers), key=lambda pair: pair[1]))
    starts, width = bands(len(places), _WIDTH)
    return _Frame(*nice(_LEAST, max(drawn)), dict(zip(places, starts, strict=True)), width, roles)


def _axes(frame: _Frame) -> list[str]:
    heights = [
        (round(frame.y(alpha)) + 0.5, frame.y(alpha), label) for alpha, label in ticks(frame.low, frame.high, _TICKS)
    ]
    across = {place: frame.x(place) for place in frame.starts}
    steps = [_short(round(x - 0.5) + 0.5) for x in across.values()]
    grid = "".join(f"M{x} .5v{_HEIGHT}" for x in steps) + "".join(f"M.5 {_short(y)}h{_WIDTH}" for y, _, _ in heights)
    marks = "".join(f"M{x} {_HEIGHT}.5v5" for x in steps) + "".join(f"M.5 {_short(y)}h-5" for y, _, _ in heights)
    shown = apart(list(across), list(across.values()), _FONT)
    labels = [_text(across[place], _HEIGHT + 16.5, place, "middle") for place in shown]
    labels += [_text(-6.5, y + 3.5, label, "end") for _, y, label in heights]
    title = -10.5 - max(text_width(label, _FONT) for _, _, label in heights)
    return [
        f'<path d="{grid}" stroke="currentColor" stroke-opacity=".12"/>',
        f'<path d="{marks}M.5 .5v{_HEIGHT}h{_WIDTH}" stroke="currentColor"/>',
        '<g fill="currentColor">',
        *labels,
        f'<g font-size="12px">{_text(_WIDTH / 2 + 0.5, _HEIGHT + 31.5, "layer (–: in none)", "middle")}',
        f'<g transform="translate({_short(title)},{_HEIGHT / 2}) rotate(-90)">{_text(0, -3, "alpha", "middle")}</g>',
        "</g></g>",
    ]


def _band(frame: _Frame, band: Sequence[Row]) -> list[str]:
    return [
        f'<path d="M0 {_short(frame.y(row["hi"]))}h{_WIDTH}V{_short(frame.y(row["lo"]))}H0Z" fill="currentColor" '
        f'opacity=".07"/><g fill="currentColor">{_text(_WIDTH - 4, frame.y(row["hi"]) - 5, row["label"], "end")}</g>'
        for row in band
    ]


def _intervals(frame: _Frame, layers: Sequence[Row]) -> list[str]:
    lines = [
        f'<path d="M{_short(frame.x(row["place"], row["role"]))} {_short(frame.y(row["lo"]))}'
        f'V{_short(frame.y(row["hi"]))}" stroke="{ROLE_MARKS[row["role"]][0]}"/>'
        for row in layers
        if "lo" in row
    ]
    return ['<g stroke-width="1.5" opacity=".45">', *lines, "</g>"]


def _average(frame: _Frame, average: Sequence[Row]) -> list[str]:
    return [
        f'<path d="M0 {_short(frame.y(row["alpha"]))}h{_WIDTH}" stroke="currentColor" stroke-dasharray="5,4" '
        'opacity=".7"/>'
        for row in average
    ]


def _marks(frame: _Frame, layers: Sequence[Row]) -> list[str]:
    """A mark for each matrix, filled where the verdict is ok."""
    drawn = ['<g stroke-width="1.6">']
    for row in layers:
        x, y = frame.x(row["place"], row["role"]), frame.y(row["alpha"])
        drawn.append(_mark(x, y, row["role"], _MARK, filled=row["verdict"] == "ok"))
    return [*drawn, "</g>"]


def _legend(roles: Sequence[str]) -> list[str]:
    keys = [_mark(_LEGEND + 5.5, row * _ROW + 5.5, role, _KEY, filled=True) for row, role in enumerate(roles)]
    words = [_text(_LEGEND + 15, row * _ROW + 8.5, role, "start") for row, role in enumerate(roles)]
    return ['<g stroke-width="1.5">', *keys, '</g><g fill="currentColor">', *words, "</g>"]


def _mark(x: float, y: float, role: str, radius: float, filled: bool) -> str:
    colour, shape = ROLE_MARKS[role]
    fill = f' fill="{colour}"' if filled else ""
    place = f'transform="translate({_short(x)},{_short(y)})"'
    return f'<path {place} d="{_outline(shape, radius)}" stroke="{colour}"{fill}/>'


def _outline(shape: str, radius: float) -> str:
    if shape == "circle":
        r = _short(radius)
        return f"M{r} 0A{r} {r} 0 1 1 -{r} 0A{r} {r} 0 1 1 {r} 0"
    return f"M{'L'.join(f'{_short(x * radius)} {_short(y * radius)}' for x, y in _CORNERS[shape])}Z"


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{_short(x)}" y="{_short(y)}" text-anchor="{anchor}">{escape(text)}</text>'


def _short(number: float) -> str:
    """A hundredth of a pixel is more than can be seen."""
    return f"{round(number, 2):g}"

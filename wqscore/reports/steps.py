"""A metric over the steps of a training run, drawn with characters: a mark a checkpoint, a line its interval."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from wqscore.fits.interval import Interval
from wqscore.ranking.precision import decimals_of
from wqscore.ranking.ranking import Ranking
from wqscore.ranking.steps import Trend
from wqscore.rendering.numbers import rounded
from wqscore.rendering.sections import Drawing

_ROWS = 9
#: Most characters between two checkpoints.
_MOST_APART = 8
_LINE, _MARK, _AXIS, _TICK, _CORNER, _FLOOR = "│", "●", "┤", "┬", "└", "─"


@dataclass(frozen=True)
class Line:
    """A metric over the steps of a run.

    Attributes:
        steps: the steps, ascending.
        values: the number at each.
        intervals: its interval, `None` where there is none.
        best: the place of the step that is never left out.
        decimals: of the labels; `None` for four digits.
    """

    steps: Sequence[int]
    values: Sequence[float]
    intervals: Sequence[Interval | None]
    best: int
    decimals: int | None


def trend_drawings(ranking: Ranking) -> list[Drawing]:
    """A drawing for each run."""
    return [_drawing(trend, ranking.preset.label(ranking.by.name)) for trend in ranking.trends]


def _drawing(trend: Trend, label: str) -> Drawing:
    ends = "; lines are 95 % intervals over layers" if any(model.interval for model in trend.models) else ""
    draw: Callable[[int], Sequence[str]] = partial(draw_trend, trend)
    return Drawing(f"{label} over the {trend.unit}s of {trend.run}{ends}", draw, [f"{trend.text}."])


def draw_trend(trend: Trend, width: int) -> list[str]:
    """The lines of a drawing of a run; arguments as for `draw_line`."""
    intervals = [model.interval for model in trend.models]
    return draw_line(Line(trend.steps, trend.values, intervals, trend.best, decimals_of(trend.models)), width)


def draw_line(line: Line, width: int) -> list[str]:
    """The lines of a drawing: the value up, the checkpoints across, equally far apart, with their steps below.

    Args:
        line: the run.
        width: characters that a line may have; checkpoints for which there is no room are left out, but never the
            first, the best and the last.
    """
    lines = [found or Interval(value, value) for found, value in zip(line.intervals, line.values, strict=True)]
    low, high = min(each.lo for each in lines), max(each.hi for each in lines)
    labels = [rounded(high - (high - low) * row / (_ROWS - 1), line.decimals) for row in range(_ROWS)]
    margin = max(map(len, labels)) + 1
    places = _fitting(line, max(width - margin - 3, 2))
    apart = max(min((width - margin - 3) // max(len(places) - 1, 1), _MOST_APART), 1)
    columns = [2 + apart * number for number in range(len(places))]

    def row_of(value: float) -> int:
        return round((high - value) / (high - low) * (_ROWS - 1)) if high > low else _ROWS // 2

    canvas = [[" "] * (columns[-1] + 1) for _ in range(_ROWS)]
    for place, column in zip(places, columns, strict=True):
        for row in range(row_of(lines[place].hi), row_of(lines[place].lo) + 1):
            canvas[row][column] = _LINE
        canvas[row_of(line.values[place])][column] = _MARK
    # A label on every other row is enough.
    left = [(label if row % 2 == 0 else "").rjust(margin) + _AXIS for row, label in enumerate(labels)]
    drawn = ["".join([head, *cells]).rstrip() for head, cells in zip(left, canvas, strict=True)]
    ticks = "".join(_TICK if column in columns else _FLOOR for column in range(columns[-1] + 1))
    floor = " " * margin + _CORNER + ticks
    steps = _steps([line.steps[place] for place in places], columns, places.index(line.best))
    return [*drawn, floor, f"{' ' * (margin + 1)}{steps}".rstrip()]


def _fitting(line: Line, room: int) -> list[int]:
    """The places of the checkpoints that are drawn: all, or the first, the best, the last and some between."""
    count = len(line.steps)
    most = max(room // 2, 3)
    if count <= most:
        return list(range(count))
    even = {round(number * (count - 1) / (most - 2)) for number in range(most - 1)}
    return sorted({*even, line.best})


def _steps(steps: Sequence[int], columns: Sequence[int], best: int) -> str:
    """The steps under their marks: of the first, the best and the last, then of others where there is room."""
    line = [" "] * (columns[-1] + 1 + len(str(steps[-1])))
    for place in dict.fromkeys([0, len(steps) - 1, best, *range(len(steps))]):
        text = str(steps[place])
        start = max(columns[place] - len(text) // 2, 0)
        around = line[max(start - 2, 0) : start + len(text) + 2]
        if all(cell == " " for cell in around):
            line[start : start + len(text)] = text
    return "".join(line).rstrip()

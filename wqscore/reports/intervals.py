"""The interval of a model's number over resampled layers, as numbers and as a bar of characters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wqscore.fits.interval import Interval
from wqscore.metrics.metric import MatrixMetric
from wqscore.ranking.precision import decimals_of
from wqscore.ranking.ranked_model import RankedModel
from wqscore.ranking.ranking import Ranking
from wqscore.rendering.numbers import MISSING, ends, figure, rounded

#: The characters of a bar: its left end, line and right end, and the number itself.
_LEFT, _LINE, _RIGHT, _NUMBER = "├", "─", "┤", "●"


@dataclass(frozen=True)
class Mark:
    """A model's number, which lies in its interval over resampled layers; all finite."""

    value: float
    interval: Interval


def has_intervals(ranking: Ranking) -> bool:
    """Whether the number that ranks is a statistic over layers, so that it varies when they are resampled."""
    return isinstance(ranking.by, MatrixMetric) and not ranking.by.summed and ranking.by.summarised


def value_text(value: float, ranking: Ranking) -> str:
    """A number of the metric that ranks, with as many decimals as all in its column."""
    return rounded(value, decimals_of(ranking.models)) if has_intervals(ranking) else figure(value)


def interval_text(model: RankedModel, ranking: Ranking) -> str:
    """The ends of the interval of a model's number, or why there is none; all of a column have as many decimals."""
    if model.score is None or not has_intervals(ranking):
        return MISSING
    count = model.score.summary.statistics[ranking.by.name].count
    return ends(model.interval, count, places=decimals_of(ranking.models))


def marks_of(ranking: Ranking) -> list[Mark | None]:
    """The number of each model with its interval, `None` for a model without an interval."""
    return [
        None
        if model.score is None or model.interval is None
        else Mark(model.score.summary.headline(ranking.by.name, ranking.preset), model.interval)
        for model in ranking.models
    ]


def extent(marks: Sequence[Mark | None]) -> tuple[float, float]:
    """The ends of a scale that holds all the intervals; (0, 0) if there are none."""
    known = [mark.interval for mark in marks if mark is not None]
    return (min(each.lo for each in known), max(each.hi for each in known)) if known else (0.0, 0.0)


def bar(mark: Mark, scale: tuple[float, float], width: int) -> str:
    """A number and its interval as a bar on a scale.

    Args:
        mark: the interval's ends lie on the scale.
        scale: the values of the first and the last character.
        width: characters.

    Example:
        >>> bar(Mark(3, Interval(2, 4)), (1, 5), 9)
        '  ├─●─┤  '
    """
    low, high = scale
    cells = [" "] * width

    def cell_of(value: float) -> int:
        return round((value - low) / (high - low) * (width - 1)) if high > low else 0

    left, right = map(cell_of, mark.interval)
    for cell in range(left, right + 1):
        cells[cell] = _LINE
    cells[left], cells[right] = _LEFT, _RIGHT
    cells[cell_of(mark.value)] = _NUMBER
    return "".join(cells)

"""The interval of a model's number over resampled layers, as numbers and as a bar of characters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from wqscore.metrics.metric import MatrixMetric
from wqscore.ranking.ranking import Ranking
from wqscore.ranking.resampling import resampled_interval
from wqscore.scoring.model_score import ModelScore

#: The characters of a bar: its left end, line and right end, and the number itself.
_LEFT, _LINE, _RIGHT, _NUMBER = "├", "─", "┤", "●"


@dataclass(frozen=True)
class Interval:
    """A model's number and the ends of its interval over resampled layers; all finite."""

    lo: float
    value: float
    hi: float


def has_intervals(ranking: Ranking) -> bool:
    """Whether the number that ranks is a statistic over layers, so that it varies when they are resampled."""
    return isinstance(ranking.by, MatrixMetric) and not ranking.by.summed


def interval_of(score: ModelScore, ranking: Ranking) -> Interval | None:
    """The interval of the number that ranks; `None` if it has none."""
    if not has_intervals(ranking):
        return None
    value = score.summary.headline(ranking.by.name, ranking.preset)
    lo, hi = resampled_interval(score, ranking.by.name, ranking.seed)
    return Interval(lo, value, hi) if isfinite(value) and isfinite(hi - lo) else None


def extent(intervals: Sequence[Interval | None]) -> tuple[float, float]:
    """The ends of a scale that holds all the intervals; (0, 0) if there are none."""
    known = [interval for interval in intervals if interval is not None]
    ends = [end for each in known for end in (each.lo, each.value, each.hi)]
    return (min(ends), max(ends)) if ends else (0.0, 0.0)


def bar(interval: Interval, scale: tuple[float, float], width: int) -> str:
    """An interval as a bar on a scale.

    Args:
        interval: its ends lie on the scale.
        scale: the values of the first and the last character.
        width: characters.

    Example:
        >>> bar(Interval(2, 3, 4), (1, 5), 9)
        '  ├─●─┤  '
    """
    low, high = scale
    cells = [" "] * width

    def cell_of(value: float) -> int:
        return round((value - low) / (high - low) * (width - 1)) if high > low else 0

    for cell in range(cell_of(interval.lo), cell_of(interval.hi) + 1):
        cells[cell] = _LINE
    cells[cell_of(interval.lo)], cells[cell_of(interval.hi)] = _LEFT, _RIGHT
    cells[cell_of(interval.value)] = _NUMBER
    return "".join(cells)

"""What is drawn in the table of the ranking: each model's interval on a common axis, and its ties as bands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, nan

from wqscore.fits.interval import Interval
from wqscore.ranking.ranking import Ranking
from wqscore.reports.intervals import has_intervals, interval_text

#: The width of the axis; every interval is drawn between 0 and it.
AXIS = 120.0


@dataclass(frozen=True)
class PlacedMark:
    """A model's number and its interval, with their places on the axis.

    Attributes:
        value: the number.
        interval: the interval, `None` without one.
        text: the interval as text, or why there is none.
        at: place of the number, from 0 to `AXIS`; NaN for what is not drawn.
        start: place of the lower end; of 0 where the metric has no intervals, of the number where this one has none.
        end: place of the upper end; of the number where there is none.
    """

    value: float
    interval: Interval | None
    text: str
    at: float
    start: float
    end: float


@dataclass(frozen=True)
class RankingMarks:
    """The marks of the ranked models, in their order.

    Attributes:
        placed: each model's.
        lanes: of each model, the letter of the tie in each lane, empty where it is in none.
        low: where the axis begins; NaN where nothing is drawn.
        high: where it ends.
        resampled: whether the metric has intervals; else the axis begins or ends at 0 and bars are drawn from it.
    """

    placed: tuple[PlacedMark, ...]
    lanes: tuple[tuple[str, ...], ...]
    low: float
    high: float
    resampled: bool


def ranking_marks(ranking: Ranking) -> RankingMarks:
    """The marks of a ranking's table."""
    models = [model for model in ranking.models if model.status == "ranked"]
    resampled = has_intervals(ranking)
    values = [
        model.score.summary.headline(ranking.by.name, ranking.preset) for model in models if model.score is not None
    ]
    # Without intervals, a bar is drawn from 0.
    lines = [model.interval or Interval(value, value) for model, value in zip(models, values, strict=True)]
    if not resampled:
        lines = [Interval(0.0, value) for value in values]
    ends = [number for line in lines for number in line if isfinite(number)]
    low, high = (min(ends), max(ends)) if ends else (nan, nan)
    placed = tuple(
        PlacedMark(
            value,
            model.interval,
            interval_text(model, ranking),
            *(_place(number, low, high) for number in (value, *line)),
        )
        for model, value, line in zip(models, values, lines, strict=True)
    )
    return RankingMarks(placed, tie_lanes([model.ties for model in models]), low, high, resampled)


def tie_lanes(ties: Sequence[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    """Give each group of ties the first lane that no other has between its first and its last model.

    Args:
        ties: each model's letters, the models in their order.

    Example:
        >>> tie_lanes([["a"], ["a", "b"], ["b"], ["c"], ["c"]])
        (('a', ''), ('a', 'b'), ('', 'b'), ('c', ''), ('c', ''))
    """
    lane_of: dict[str, int] = {}
    free: list[int] = []  # of each lane the first place that no group reaches
    for letter in dict.fromkeys(letter for letters in ties for letter in letters):
        places = [place for place, letters in enumerate(ties) if letter in letters]
        lane = next((lane for lane, place in enumerate(free) if place <= places[0]), len(free))
        free[lane : lane + 1] = [places[-1] + 1]
        lane_of[letter] = lane
    return tuple(
        tuple(next((letter for letter in letters if lane_of[letter] == lane), "") for lane in range(len(free)))
        for letters in ties
    )


def _place(number: float, low: float, high: float) -> float:
    return round((number - low) / ((high - low) or 1.0) * AXIS, 1) if isfinite(number) else nan

"""What is drawn in the table of the ranking: each model's interval on a common axis, and its ties as bands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, nan

from wqscore.ranking.ranking import Ranking
from wqscore.ranking.resampling import resampled_interval
from wqscore.reports.overview import headline
from wqscore.scoring.model_score import ModelScore

#: The width of the axis; every interval is drawn between 0 and it.
AXIS = 120.0


@dataclass(frozen=True)
class Interval:
    """A model's number and where 95 % of it lie over resampled layers, with their places on the axis.

    Attributes:
        value: the number.
        lo: lower end; NaN where the metric has no interval.
        hi: upper end.
        at: place of the number, from 0 to `AXIS`; NaN for what is not drawn.
        start: place of the lower end; of 0 where there is none.
        end: place of the upper end; of the number where there is none.
    """

    value: float
    lo: float
    hi: float
    at: float
    start: float
    end: float

    @property
    def is_known(self) -> bool:
        """Whether there is an interval."""
        return isfinite(self.lo)


@dataclass(frozen=True)
class RankingMarks:
    """The marks of the ranked models, in their order.

    Attributes:
        intervals: each model's.
        lanes: of each model, the letter of the tie in each lane, empty where it is in none.
        low: where the axis begins; NaN where nothing is drawn.
        high: where it ends.
        resampled: whether the intervals are known; else the axis begins or ends at 0 and bars are drawn from it.
    """

    intervals: tuple[Interval, ...]
    lanes: tuple[tuple[str, ...], ...]
    low: float
    high: float
    resampled: bool


def ranking_marks(ranking: Ranking) -> RankingMarks:
    """The marks of a ranking's table."""
    models = [model for model in ranking.models if model.status == "ranked"]
    scores = [model.score for model in models if model.score]
    # Only a statistic over matrices moves with the matrices that are looked at.
    resampled = headline(ranking.by, ranking.preset) in ("median", "mean")
    found = [_numbers(score, ranking, resampled) for score in scores]
    ends = [number for numbers in found for number in numbers if isfinite(number)]
    if ends and not resampled:
        ends.append(0.0)
    low, high = (min(ends), max(ends)) if ends else (nan, nan)
    intervals = tuple(
        Interval(*numbers, *(_place(number, low, high) for number in (numbers if resampled else _bar(numbers[0]))))
        for numbers in found
    )
    return RankingMarks(intervals, tie_lanes([model.ties for model in models]), low, high, resampled)


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


def _numbers(score: ModelScore, ranking: Ranking, resampled: bool) -> tuple[float, float, float]:
    """The model's number and the ends of its interval."""
    value = score.summary.headline(ranking.by.name, ranking.preset)
    lo, hi = resampled_interval(score, ranking.by.name, ranking.seed) if resampled else (nan, nan)
    return value, lo, hi


def _bar(value: float) -> tuple[float, float, float]:
    """What is drawn of a number without an interval: where it is, and a bar from 0."""
    return value, 0.0, value


def _place(number: float, low: float, high: float) -> float:
    return round((number - low) / ((high - low) or 1.0) * AXIS, 1) if isfinite(number) else nan

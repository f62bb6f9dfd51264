"""What is drawn in the table of the ranking: an axis a family with its models' intervals, and ties as bands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from math import ceil, floor, isfinite, log10, nan

from wqscore.fits.interval import Interval
from wqscore.ranking.ranked_model import RankedModel
from wqscore.ranking.ranking import Ranking
from wqscore.rendering.numbers import figure
from wqscore.reports.intervals import has_intervals, interval_text, value_text

#: The width of an axis; every interval is drawn between 0 and it.
AXIS = 200.0
#: At most so many steps between the ticks of an axis.
_MAX_STEPS = 5


@dataclass(frozen=True)
class PlacedMark:
    """A model's number and its interval, with their places on the axis of its family.

    Attributes:
        value: the number.
        shown: the number as text, as precise as its column deserves.
        interval: the interval, `None` without one.
        text: the interval as text, or why there is none.
        at: place of the number, from 0 to `AXIS`; NaN for what is not drawn.
        start: place of the lower end; of 0 where the metric has no intervals, of the number where this one has none.
        end: place of the upper end; of the number where there is none.
    """

    value: float
    shown: str
    interval: Interval | None
    text: str
    at: float
    start: float
    end: float


@dataclass(frozen=True)
class FamilyMarks:
    """The models of one family with their marks, which share an axis.

    Attributes:
        name: the family; empty where it is not known, or where families are ranked together.
        models: its models in the ranking's order.
        placed: each model's mark.
        lanes: of each model, the letter of the tie in each lane, empty where it is in none.
        low: where the axis begins; NaN where nothing is drawn.
        high: where it ends.
        ticks: text and place of its ticks.
        band: the places between which numbers are read as usual; `None` where nothing is published.
    """

    name: str
    models: tuple[RankedModel, ...]
    placed: tuple[PlacedMark, ...]
    lanes: tuple[tuple[str, ...], ...]
    low: float
    high: float
    ticks: tuple[tuple[str, float], ...]
    band: tuple[float, float] | None


def ranking_marks(ranking: Ranking) -> tuple[FamilyMarks, ...]:
    """The ranked models family by family; all in one group where families are ranked together."""
    ranked = [model for model in ranking.models if model.status == "ranked"]
    if ranking.across_families:
        return (_family("", ranked, ranking),) if ranked else ()
    groups = groupby(ranked, lambda model: model.family or id(model))
    return tuple(_family(name if isinstance(name, str) else "", [*models], ranking) for name, models in groups)


def usual_band(ranking: Ranking) -> tuple[float, float] | None:
    """The range in which the number that ranks is read as usual, where both ends are published."""
    usual = ranking.by.readable
    if usual is None or not (isfinite(usual.low) and isfinite(usual.high)):
        return None
    return usual.low, usual.high


def _family(name: str, models: Sequence[RankedModel], ranking: Ranking) -> FamilyMarks:
    resampled = has_intervals(ranking)
    values = [
        model.score.summary.headline(ranking.by.name, ranking.preset) for model in models if model.score is not None
    ]
    lines = [model.interval or Interval(value, value) for model, value in zip(models, values, strict=True)]
    if not resampled:
        # Without intervals, a bar is drawn from 0.
        lines = [Interval(0.0, value) for value in values]
    usual = usual_band(ranking) if resampled else None
    ends = [number for line in [*lines, *([usual] if usual else [])] for number in line if isfinite(number)]
    low, high = (min(ends), max(ends)) if ends else (nan, nan)
    placed = tuple(
        PlacedMark(
            value,
            value_text(value, ranking),
            model.interval,
            interval_text(model, ranking),
            *(_place(number, low, high) for number in (value, *line)),
        )
        for model, value, line in zip(models, values, lines, strict=True)
    )
    return FamilyMarks(
        name,
        tuple(models),
        placed,
        tie_lanes([model.ties for model in models]),
        low,
        high,
        tuple((figure(number), _place(number, low, high)) for number in ticks(low, high)),
        (_place(usual[0], low, high), _place(usual[1], low, high)) if usual else None,
    )


def ticks(low: float, high: float) -> list[float]:
    """Round numbers on an axis, two to six of them; none where there is no axis.

    Example:
        >>> ticks(1.42, 8.95)
        [2.0, 4.0, 6.0, 8.0]
    """
    if not (isfinite(low) and isfinite(high) and high > low):
        return [low] if isfinite(low) else []
    least = (high - low) / _MAX_STEPS
    power = 10.0 ** floor(log10(least))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least * (1 - 1e-9))
    return [round(step * place, 12) for place in range(ceil(low / step - 1e-9), floor(high / step + 1e-9) + 1)]


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

"""Order comparable models: their ranks, the range of ranks each could have, and tie groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isclose

from wqscore.metrics.metric import MatrixMetric, Metric
from wqscore.presets.preset import Preset
from wqscore.ranking.differences import Difference, compare_all
from wqscore.ranking.tie_groups import tie_groups
from wqscore.scoring.model_score import ModelScore

#: Scores closer than this, relatively, are one: the same weights stored transposed differ by about 1e-12.
_SAME = 1e-9


@dataclass(frozen=True)
class Rank:
    """Where a model stands among those it can be compared with.

    Attributes:
        score: the model.
        rank: 1 is best; models whose scores are equal share the best of their ranks.
        tied: whether another model has the same rank.
        best: the best rank it could have: 1 plus the number of models that are ahead of it and not tied with it.
        worst: the worst rank it could have, counted from the models behind it in the same way.
        ties: indices of its tie groups; two models share one exactly if they are tied.
    """

    score: ModelScore
    rank: int
    tied: bool
    best: int
    worst: int
    ties: tuple[int, ...]


@dataclass(frozen=True)
class Placing:
    """Models in order.

    Attributes:
        places: best first.
        differences: by the indices i < j of two models, the first less the second; empty where the metric is one of
            the whole model, which has no values of layers.
    """

    places: tuple[Rank, ...]
    differences: Mapping[tuple[int, int], Difference]


def place_models(scores: Sequence[ModelScore], metric: Metric, preset: Preset) -> Placing:
    """Order models, all of which have the metric, and find which of them are tied.

    Models are compared over their layers if the metric is one of layers; otherwise nothing says how far a difference
    can be trusted, and none is told from another.
    """
    sign = 1 if metric.better == "lower" else -1
    ordered = sorted(scores, key=lambda score: sign * score.summary.headline(metric.name, preset))
    values = [score.summary.headline(metric.name, preset) for score in ordered]
    ranks: list[int] = []
    for position, value in enumerate(values):
        ranks.append(ranks[-1] if position > 0 and _same(value, values[position - 1]) else position + 1)
    differences = compare_all(ordered, metric) if isinstance(metric, MatrixMetric) else {}
    apart = frozenset(places for places, difference in differences.items() if not difference.tied)
    groups = tie_groups(len(ordered), apart)
    places = tuple(
        Rank(
            score=score,
            rank=rank,
            tied=ranks.count(rank) > 1,
            best=1 + sum((other, place) in apart for other in range(place)),
            worst=len(ordered) - sum((place, other) in apart for other in range(place + 1, len(ordered))),
            ties=tuple(number for number, group in enumerate(groups) if place in group),
        )
        for place, (score, rank) in enumerate(zip(ordered, ranks, strict=True))
    )
    return Placing(places, differences)


def _same(value: float, other: float) -> bool:
    return isclose(value, other, rel_tol=_SAME)

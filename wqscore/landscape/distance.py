"""How far two models lie apart: the Euclidean distance of their parameters."""

from __future__ import annotations

from wqscore.landscape.connectivity import check_ends
from wqscore.landscape.measure import Choices, Estimate, PairMeasure
from wqscore.landscape.task import Task
from wqscore.landscape.weights import distance, ends


def _apart(one: Task, other: Task, choices: Choices) -> list[Estimate]:
    return [Estimate("l2", distance(*ends(one.model, one.model, other.model)), "exact, of all parameters")]


MEASURE = PairMeasure("l2", ("l2",), _apart, check_ends)

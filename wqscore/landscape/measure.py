"""What a measure is: a name, the numbers that it gives, and the function that computes them.

A new one is a file of this folder with such a record, and a line of `registry.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import nan
from typing import Literal

from wqscore.landscape.task import Task

#: Outputs that CKA compares.
Compared = Literal["softmax", "outputs"]


@dataclass(frozen=True)
class Choices:
    """What all measures of a run share.

    Attributes:
        probes: random vectors behind the Hessian's trace.
        epochs: passes over the batches that train a curve.
        cka: what CKA compares.
        seed: of every random step.
    """

    probes: int = 30
    epochs: int = 50
    cka: Compared = "softmax"
    seed: int = 0


@dataclass(frozen=True)
class Estimate:
    """One number.

    Attributes:
        measure: its name.
        value: NaN where it is not defined.
        estimator: how it was found, and what the ends are.
        low: lower end; NaN where none is stated.
        high: upper end.
    """

    measure: str
    value: float
    estimator: str
    low: float = nan
    high: float = nan


@dataclass(frozen=True)
class ModelMeasure:
    """A measure of one model.

    Attributes:
        name: what `--measure` takes.
        gives: the names of its numbers.
        compute: returns one estimate for each of them; raises `LandscapeError` or `UsageError` where it can't.
    """

    name: str
    gives: tuple[str, ...]
    compute: Callable[[Task, Choices], Sequence[Estimate]]


@dataclass(frozen=True)
class PairMeasure:
    """A measure between two models.

    Attributes:
        name: what `--pairs` takes.
        gives: the names of its numbers.
        compute: takes the two models' tasks; the examples are the first's.
        check: raises `UsageError` where the two don't go together; called before anything is measured.
    """

    name: str
    gives: tuple[str, ...]
    compute: Callable[[Task, Task, Choices], Sequence[Estimate]]
    check: Callable[[Task, Task], None]

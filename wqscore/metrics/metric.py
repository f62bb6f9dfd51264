"""A metric: its name, formula, source, claim and cost, and the function that computes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import ClassVar, Literal

from wqscore.metrics.analysis import MatrixAnalysis, ModelAnalysis

MetricCost = Literal["free", "fit", "resampling", "weights", "shuffles", "windows", "vectors", "base"]

#: What a metric costs beyond the eigenvalues that every matrix needs.
COSTS = MappingProxyType(
    {
        "free": "nothing beyond the eigenvalues",
        "fit": "a numerical fit of milliseconds, no eigensolve",
        "resampling": "hundreds of fits in one compiled loop, tens of milliseconds, no eigensolve",
        "weights": "reading the weights once more",
        "shuffles": "six more eigensolves, shared by all metrics of this class",
        "windows": "up to 100 eigensolves of r×r windows",
        "vectors": "one more eigensolve, with eigenvectors",
        "base": "reading the base checkpoint, and one more Gram matrix",
    }
)


@dataclass(frozen=True)
class ModelValue:
    """A metric's value for a whole model.

    Attributes:
        value: NaN where it is not defined.
        count: number of matrices it is computed from.
        reason: why it is not defined; empty where it is.
    """

    value: float
    count: int
    reason: str = ""


#: NaN where the metric is not defined for the matrix; never an infinity.
MatrixFunction = Callable[[MatrixAnalysis], float]

ModelFunction = Callable[[ModelAnalysis], ModelValue]

#: Why most metrics of a tail are not defined.
NO_TAIL = "no tail of 10 eigenvalues to fit"

#: The caveat of a metric that is not claimed to measure quality.
NO_CLAIM = "no claim; an order by convention"


@dataclass(frozen=True)
class ReadableRange:
    """The range in which published work reads a model's number, and what it says of numbers outside.

    Attributes:
        low: lower end.
        high: upper end.
        below: what a number below is taken for.
        above: what a number above is taken for.
        source: where that is published.
    """

    low: float
    high: float
    below: str
    above: str
    source: str


@dataclass(frozen=True)
class Metric:
    """A metric of a matrix or of a whole model.

    Attributes:
        level: `matrix` or `model`.
        name: the column name.
        formula: the definition in plain text; log is base 10, ln natural, λ an eigenvalue of WᵀW.
        source: where the definition comes from.
        caveat: where the claim behind `better` is known to fail, or that there is none.
        unit: the unit, with w for the weights' unit; `1` for a pure number.
        better: which direction the literature claims to be better, `lower` or `higher`.
        cost: what it needs (`COSTS`).
        core: whether it is computed by default.
        undefined: when there is no value, as shown to people.
        summed: whether a model's value is the sum over all its matrices, not a median or mean.
        needs_fit: whether only matrices with a fitted tail count in a model's value.
        summarised: whether a model has a number of it in tables of models; not so a bound, a p-value or a nuisance
            parameter of a fit, whose average over matrices says nothing of the model.
        readable: the range in which published work reads a model's number as that of trained layers; `None` if none
            is published.
    """

    level: ClassVar[Literal["matrix", "model"]]

    name: str
    formula: str
    source: str
    caveat: str
    unit: str = field(default="1", kw_only=True)
    better: Literal["lower", "higher"] = field(default="lower", kw_only=True)
    cost: MetricCost = field(default="free", kw_only=True)
    core: bool = field(default=False, kw_only=True)
    undefined: str = field(default=NO_TAIL, kw_only=True)
    summed: bool = field(default=False, kw_only=True)
    needs_fit: bool = field(default=True, kw_only=True)
    summarised: bool = field(default=True, kw_only=True)
    readable: ReadableRange | None = field(default=None, kw_only=True)

    @property
    def claims(self) -> bool:
        """Whether anyone claims that the metric measures quality; without a claim, `better` is an order only."""
        return self.summarised and not self.caveat.startswith(("no claim", "untested"))

    @property
    def count(self) -> bool:
        """Whether the value is a whole number, of eigenvalues."""
        return self.unit == "eigenvalues"


@dataclass(frozen=True)
class MatrixMetric(Metric):
    """A metric of one weight matrix; a model's value is a statistic over its matrices.

    Attributes:
        compute: the function; NaN where it is not defined.
    """

    level = "matrix"

    compute: MatrixFunction


@dataclass(frozen=True)
class ModelMetric(Metric):
    """A metric of a whole model.

    Attributes:
        compute: the function.
    """

    level = "model"

    compute: ModelFunction

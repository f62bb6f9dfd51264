"""A gate's rule: a measured value, a comparison, and a limit."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from wqscore.scoring.layer_score import Verdict

Operator = Literal[">", ">=", "<", "<="]
ChangeKind = Literal["delta", "abs_delta", "relative"]
Check = Literal["non_finite", "zero", "unread", "coverage", "coverage_all"]

COMPARISONS: Mapping[Operator, Callable[[float, float], bool]] = MappingProxyType(
    {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}
)

#: A statistic's name in rules and in `ranking.json`, and its name in the summary of a score.
STATISTICS = MappingProxyType(
    {
        **{"median": "median", "mean": "mean", "param_mean": "weighted_mean", "trimmed_mean": "trimmed_mean"},
        **{"ok_median": "ok_median", "lowest": "lowest", "highest": "highest"},
    }
)


@dataclass(frozen=True)
class Quantity:
    """A metric of a model.

    Attributes:
        metric: its name in the registry.
        statistic: one of `STATISTICS`, over the matrices; empty for the number that models are ranked by.
    """

    metric: str
    statistic: str = ""

    def __str__(self) -> str:
        return f"{self.metric}.{self.statistic}" if self.statistic else self.metric


@dataclass(frozen=True)
class Change:
    """The change of a quantity from the baseline.

    Attributes:
        kind: `delta`, value − baseline; `abs_delta`, |value − baseline|; `relative`, (value − baseline) ÷ |baseline|.
        quantity: the quantity.
    """

    kind: ChangeKind
    quantity: Quantity

    def __str__(self) -> str:
        return f"{self.kind}({self.quantity})"


@dataclass(frozen=True)
class Worse:
    """Whether a model is worse than the baseline beyond doubt, matrix for matrix.

    So it is if the 95 % interval of the change, over pairs of matrices (or role by role where they are no pairs),
    excludes 0 on the worse side, and the change is more than rounding can do.

    Attributes:
        quantity: a metric of matrices that claims a direction, without a statistic.
    """

    quantity: Quantity

    def __str__(self) -> str:
        return f"worse({self.quantity})"


@dataclass(frozen=True)
class OddsOver:
    """The odds that a model is better than the baseline, from the record of decisions; a toss-up is 0.5.

    Attributes:
        quantity: a metric that claims a direction, without a statistic.
    """

    quantity: Quantity

    def __str__(self) -> str:
        return f"odds({self.quantity})"


@dataclass(frozen=True)
class Share:
    """Matrices with a verdict ÷ all matrices, embeddings, heads, small and unread ones included.

    `share(no-power-law)` grows with the size of the matrices: a test with more eigenvalues sees smaller departures
    from a power law. Set its limit for one architecture and size, and don't carry it over to another.
    """

    verdict: Verdict

    def __str__(self) -> str:
        return f"share({self.verdict})"


@dataclass(frozen=True)
class IntegrityTerm:
    """A property of a checkpoint that needs no fit.

    Attributes:
        check: `non_finite` and `zero`, matrices with that verdict; `unread`, matrices that could not be read;
            `coverage`, weights behind the score ÷ weights that belong there; `coverage_all`, the same of all
            parameters.
    """

    check: Check

    def __str__(self) -> str:
        return self.check


@dataclass(frozen=True)
class Outlier:
    """The largest |z| of a statistic over the modules of an adapter (`wqscore screen`).

    Attributes:
        statistic: the statistic, or `any` for the largest of all.
        of_bank: whether it is measured from the adapters of the policy's bank, not from sibling modules.
    """

    statistic: str
    of_bank: bool = False

    def __str__(self) -> str:
        return f"{'bank_' if self.of_bank else ''}outlier({self.statistic})"


Term = Quantity | Change | Worse | OddsOver | Share | IntegrityTerm | Outlier
#: Terms that compare with a baseline.
AGAINST_BASELINE = (Change, Worse, OddsOver)


@dataclass(frozen=True)
class Rule:
    """A condition that fails a gate.

    Attributes:
        value: the value that is measured.
        comparison: the operator between value and limit; `None` for `Worse`, which needs none.
        limit: a finite number; `None` for `Worse`.

    Example:
        >>> str(Rule(Change("delta", Quantity("alpha")), ">", 0.3))
        'delta(alpha) > 0.3'
    """

    value: Term
    comparison: Operator | None = None
    limit: float | None = None

    def __str__(self) -> str:
        if self.comparison is None:
            return str(self.value)
        return f"{self.value} {self.comparison} {repr(self.limit).removesuffix('.0')}"

    def fails(self, value: float) -> bool:
        """Whether a value is on the failing side of the limit; never so without a limit."""
        if self.comparison is None or self.limit is None:
            return False
        return COMPARISONS[self.comparison](value, self.limit)

    @property
    def quantity(self) -> Quantity | None:
        """The quantity that must be computed, `None` if there is none."""
        if isinstance(self.value, AGAINST_BASELINE):
            return self.value.quantity
        return self.value if isinstance(self.value, Quantity) else None

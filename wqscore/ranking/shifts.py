"""How far one model's values are shifted from another's: a test of no shift, and the interval that it leaves.

No step is random. Paired values: Wilcoxon's signed ranks, whose law is that of flipping each difference's sign.
Unpaired ones: rank sums within strata (roles), whose law is that of exchanging the models' values within each. The
intervals hold every shift that the test does not reject (Hodges & Lehmann, Ann. Math. Statist. 34 (1963), 598–611;
Lehmann, same journal, 1507–1512).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

import numpy as np

from wqscore.ranking.null_laws import (
    NullLaw,
    rank_sum_law,
    signed_rank_law,
    untied_rank_sum_law,
    untied_signed_rank_law,
)
from wqscore.ranking.order_statistics import inner_differences, inner_means

#: The share of equal models that the two-sided test of one pair tells apart, at most.
LEVEL = 0.05


@dataclass(frozen=True)
class Shift:
    """A shift of values between two models.

    Attributes:
        lo: lower end of the 95 % interval; NaN where there are too few values for any.
        hi: upper end.
        p: two-sided p-value of no shift; NaN without a value.
    """

    lo: float
    hi: float
    p: float


#: Nothing to compare.
UNKNOWN = Shift(nan, nan, nan)


def paired_shift(differences: np.ndarray) -> Shift:
    """The shift behind differences of pairs.

    Fewer than six pairs have no interval: of n signs the rarest has probability 2/2ⁿ.

    Args:
        differences: shape (n,), finite.
    """
    if not differences.size:
        return UNKNOWN
    trimmed = untied_signed_rank_law(differences.size).largest_in_tail(LEVEL / 2)
    lo = hi = nan
    if trimmed >= 0:
        lo, hi = inner_means(np.sort(differences), trimmed)
    return Shift(lo, hi, _sign_flip_p(differences[differences != 0]))


def unpaired_shift(strata: Sequence[tuple[np.ndarray, np.ndarray]]) -> Shift:
    """The shift of the first model's values from the second's.

    Args:
        strata: the values of both models that may be compared with each other, finite; none empty.
    """
    if not strata:
        return UNKNOWN
    sizes = tuple((first.size, second.size) for first, second in strata)
    trimmed = untied_rank_sum_law(sizes).largest_in_tail(LEVEL / 2)
    lo = hi = nan
    if trimmed >= 0:
        lo, hi = inner_differences([(np.sort(first), np.sort(second)) for first, second in strata], trimmed)
    return Shift(lo, hi, _rank_sum_p(strata))


def _sign_flip_p(differences: np.ndarray) -> float:
    """The share of sign flips whose ranked differences are at least as one-sided; differences of 0 have no sign."""
    if not differences.size:
        return 1.0
    ranks, tied = _whole_ranks([np.abs(differences)])
    law = signed_rank_law(ranks[0]) if tied else untied_signed_rank_law(differences.size)
    return law.p_value(int(ranks[0][differences > 0].sum()))


def _rank_sum_p(strata: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
    """The share of exchanges within strata whose rank sums are at least as one-sided."""
    ranks, tied = _whole_ranks([np.concatenate(both) for both in strata])
    sizes = [(first.size, second.size) for first, second in strata]
    law: NullLaw
    if tied:
        law = rank_sum_law([(each, first) for each, (first, _) in zip(ranks, sizes, strict=True)])
    else:
        law = untied_rank_sum_law(tuple(sizes))
    found = sum(
        int(each[:first].sum() - np.sort(each)[:first].sum()) for each, (first, _) in zip(ranks, sizes, strict=True)
    )
    return law.p_value(found)


def _whole_ranks(groups: Sequence[np.ndarray]) -> tuple[list[np.ndarray], bool]:
    """The ranks within each group, and whether any are tied; tied ones share their mean, and all are times 2 then."""
    found, tied = [], False
    for values in groups:
        order = np.argsort(values)
        ordered = values[order]
        first = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
        last = np.append(first[1:], values.size)
        ranks = np.empty(values.size, dtype=np.int64)
        ranks[order] = np.repeat(first + last + 1, last - first)
        found.append(ranks)
        tied = tied or first.size < values.size
    return (found, True) if tied else ([ranks // 2 for ranks in found], False)

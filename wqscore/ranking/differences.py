"""Whether one model is ahead of another over their layers, or the two can't be told apart.

A model's matrices are a census of it, not a sample: what is measured here is *consistency over layers*, whether the
matrices of one have higher values than those of the other more often than chance has it; it says nothing beyond these
models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import isfinite, nan, sqrt
from typing import Literal

import numpy as np

from wqscore.metrics.metric import MatrixMetric
from wqscore.ranking.holm import holm
from wqscore.ranking.pairing import Numbering, numbered_alike, numbering, pairs_of, strata_of
from wqscore.ranking.shifts import UNKNOWN, Shift, paired_shift, unpaired_shift
from wqscore.scoring.layer_score import LayerScore
from wqscore.scoring.model_score import ModelScore
from wqscore.scoring.role_draws import MatrixKey, matrix_key
from wqscore.scoring.summary import counted_rows

#: Two models are told apart at this corrected p-value. At 0.05 one in twenty rankings of equal models would assert an
#: order, and more in every other count of a thousand; this leaves room below it.
APART = 0.035
#: Differences below this share of a metric's spread over the matrices count as ties.
_NEGLIGIBLE = 1e-3


@dataclass(frozen=True)
class Difference:
    """One model's summary less another's, and whether it is consistent over layers.

    Attributes:
        value: the difference of the numbers that rank.
        lo: lower end of the 95 % interval of the shift of the values, or `value` if that is lower; NaN where
            there are too few matrices for an interval.
        hi: upper end, in the same way.
        p: two-sided p-value of no shift, from flips of the signs of the pairs, or from exchanges within roles where
            the models are not paired; NaN where there is nothing to compare.
        p_holm: `p` after Holm's correction for all pairs of the models that are ranked together.
        delta: a difference up to this is a tie: 1e-3 of the metric's spread, what rounding in storage can do,
            and how far transformations that keep a model's function move its number, where that is known.
        lowest: smallest possible `value` if each unpaired matrix took the lowest or highest value in either model;
            `value` where none is lost.
        highest: the largest possible `value`, found in the same way.
        pairs: matrices of one name and shape that both have a value for; 0 where the models are not paired.
        lost: matrices of either that are in no pair, where they are paired.
    """

    value: float
    lo: float
    hi: float
    p: float
    p_holm: float
    delta: float
    lowest: float
    highest: float
    pairs: int
    lost: int

    @property
    def tied(self) -> bool:
        """Whether the two can't be told apart.

        The interval contains `value`: it is clear of 0 only if the number that ranks and the layers agree in sign.
        """
        clear = self.lo > 0 or self.hi < 0
        return not (clear and self.p_holm <= APART and abs(self.value) > self.delta)


def compare_all(scores: Sequence[ModelScore], metric: MatrixMetric) -> dict[tuple[int, int], Difference]:
    """Compare every model with every later one by one metric of matrices, all scored alike.

    Two models that have the same layers and experts, and share names (base-model prefixes aside) and shapes, are
    compared pair by pair, others role by role. No step is random.

    Args:
        scores: models that have the metric, all of which are ranked together.
        metric: a metric of matrices.

    Returns:
        By the indices i < j of two models, the first less the second.
    """
    models = [measured(score, metric) for score in scores]
    pairs = list(combinations(range(len(scores)), 2))
    found = [difference(models[i], models[j]) for i, j in pairs]
    corrected = holm([each.p for each in found])
    return {
        pair: replace(each, p_holm=p) if isfinite(each.p) else each
        for pair, each, p in zip(pairs, found, corrected, strict=True)
    }


@dataclass(frozen=True)
class Measured:
    """A metric's values over a model's matrices, in the order of role and name.

    Attributes:
        value: the number that ranks.
        headline: how it sums the values up.
        keys: role, bare name and shape of each matrix.
        values: shape (n,).
        delta: a difference up to this is none for this model.
        numbering: which layers and experts it has.
    """

    value: float
    headline: Literal["median", "mean", "sum"]
    keys: tuple[MatrixKey, ...]
    values: np.ndarray
    delta: float
    numbering: Numbering

    def filled(self, count: int, value: float) -> float:
        """The number that would rank if so many more matrices had this value."""
        values = np.append(self.values, np.full(count, value))
        if self.headline == "sum":
            return float(values.sum())
        return float(np.median(values) if self.headline == "median" else values.mean())


def measured(score: ModelScore, metric: MatrixMetric) -> Measured:
    """What a comparison of models needs to know of a score."""
    rows = sorted(_counted(score, metric), key=matrix_key)
    values = np.array([row.metrics[metric.name] for row in rows])
    rounding = [_rounding(row, metric.name) for row in rows]
    delta = max(_NEGLIGIBLE * float(values.std()), float(np.median(rounding))) if rows else 0.0
    return Measured(
        value=score.summary.headline(metric.name, score.preset),
        headline="sum" if metric.summed else score.preset.headline,
        keys=tuple(map(matrix_key, rows)),
        values=values,
        delta=max(delta * (len(rows) if metric.summed else 1), score.gauge_spread),
        numbering=numbering(score),
    )


def _counted(score: ModelScore, metric: MatrixMetric) -> list[LayerScore]:
    """The matrices whose values make the number that ranks."""
    return counted_rows(score.layers, metric.name, score.preset)


def _rounding(row: LayerScore, metric: str) -> float:
    """What an error of the stored numbers can do to alpha: every λ moves by at most 2u/√3 of itself, or so."""
    if not metric.startswith("alpha") or row.metrics[metric] <= 1:
        return 0.0
    return float((row.metrics[metric] - 1) ** 2 * 2 * row.spectrum.unit_roundoff / sqrt(3))


def difference(a: Measured, b: Measured) -> Difference:
    """How two models differ; `p_holm` is NaN, since the correction for other pairs is still to be made."""
    value = a.value - b.value
    pairs = pairs_of(a.keys, b.keys) if numbered_alike(a.numbering, b.numbering) else []
    shift = _shift(a, b, pairs)
    lost = a.values.size + b.values.size - 2 * len(pairs) if pairs else 0
    lowest, highest = _bounds(a, b, len(pairs)) if lost else (value, value)
    return Difference(
        value=value,
        # Of NaN and a number, both give the first.
        lo=min(shift.lo, value),
        hi=max(shift.hi, value),
        p=shift.p,
        p_holm=nan,
        delta=max(a.delta, b.delta),
        lowest=min(lowest, value),
        highest=max(highest, value),
        pairs=len(pairs),
        lost=lost,
    )


def _shift(a: Measured, b: Measured, pairs: Sequence[tuple[int, int]]) -> Shift:
    """The shift of the values, in the scale of the number that ranks."""
    if pairs:
        first, second = np.array(pairs).T
        shift = paired_shift(a.values[first] - b.values[second])
        scale = len(pairs) if a.headline == "sum" else 1
        return Shift(shift.lo * scale, shift.hi * scale, shift.p)
    if a.headline == "sum":
        # Sums over different matrices differ by how many these are.
        return UNKNOWN
    strata = strata_of(a.keys, b.keys)
    return unpaired_shift([(a.values[first], b.values[second]) for first, second in strata])


def _bounds(a: Measured, b: Measured, pairs: int) -> tuple[float, float]:
    """Smallest and largest difference if each unpaired matrix took the lowest or highest value of either model."""
    only_a, only_b = a.values.size - pairs, b.values.size - pairs
    low = min(float(a.values.min()), float(b.values.min()))
    high = max(float(a.values.max()), float(b.values.max()))
    return (
        a.filled(only_b, low) - b.filled(only_a, high),
        a.filled(only_b, high) - b.filled(only_a, low),
    )

"""Whether one model is ahead of another over their layers, or the two can't be told apart.

A model's matrices are a census of it, not a sample: what is measured here is *consistency over layers*, how far a
difference of two summaries depends on which of their matrices are included; it says nothing beyond these models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from itertools import combinations, islice
from math import isfinite, nan, sqrt

import numpy as np

from wqscore.scoring.layer_score import LayerScore
from wqscore.scoring.model_score import ModelScore
from wqscore.scoring.role_draws import MatrixKey, matrix_key
from wqscore.scoring.summary import belonging_rows, rows_with_value

_DRAWS = 1000
#: Pairs whose quantiles are taken together, which is quicker than one by one.
_CHUNK = 500
#: An interval of 95 %, in standard deviations of a normal law.
_WIDTH_95 = 2 * 1.959964
#: Differences below this share of a metric's spread over the matrices count as ties.
_NEGLIGIBLE = 1e-3
#: Two models are compared pair by pair when they share at least this share of their matrices.
_MIN_SHARED = 0.5


@dataclass(frozen=True)
class Difference:
    """One model's summary less another's.

    Attributes:
        value: the difference over all matrices of both; of the pairs, where they are paired.
        lo: lower end of the 95 % interval over resampled layers.
        hi: upper end.
        delta: a difference up to this is a tie: 1e-3 of the metric's spread, and what rounding in storage can do.
        lowest: smallest possible `value` if each unpaired matrix took the lowest or highest value in either model;
            `value` where none is lost.
        highest: the largest possible `value`, found in the same way.
        pairs: matrices of one name and shape that both have a value for; 0 where the models are not paired.
        lost: matrices of either that are in no pair, where they are paired.
    """

    value: float
    lo: float
    hi: float
    delta: float
    lowest: float
    highest: float
    pairs: int
    lost: int

    @property
    def tied(self) -> bool:
        """Whether the two can't be told apart."""
        return not (self.lo > 0 or self.hi < 0) or abs(self.value) <= self.delta


@dataclass(frozen=True)
class _Layers:
    """A metric's values over a model's matrices, in the order of role and name.

    Attributes:
        keys: role, bare name and shape of each.
        values: shape (n,).
        deviations: standard deviation of each fit, 0 where none is known.
        rounding: how much rounding in storage can change each value.
        headline: the statistic that sums them up.
    """

    keys: tuple[MatrixKey, ...]
    values: np.ndarray
    deviations: np.ndarray
    rounding: np.ndarray
    headline: str

    @cached_property
    def summary(self) -> float:
        """The summary that ranks."""
        return float(_summary(self.values, self.headline))

    @cached_property
    def spread(self) -> float:
        """Standard deviation of the values."""
        return float(self.values.std())

    @cached_property
    def usual_rounding(self) -> float:
        """Median of the changes that rounding can make."""
        return float(np.median(self.rounding))

    @cached_property
    def key_set(self) -> frozenset[MatrixKey]:
        """The keys, to be compared with another's."""
        return frozenset(self.keys)

    def only(self, keys: frozenset[MatrixKey]) -> _Layers:
        kept = [i for i, key in enumerate(self.keys) if key in keys]
        return replace(
            self,
            keys=tuple(self.keys[i] for i in kept),
            values=self.values[kept],
            deviations=self.deviations[kept],
            rounding=self.rounding[kept],
        )


def compare_all(scores: Sequence[ModelScore], metric: str, seed: int) -> dict[tuple[int, int], Difference]:
    """Compare every model with every later one by one metric of matrices, all scored alike.

    A model's matrices are resampled within their roles, each fit is moved within its own interval where that is
    known, and the summary that ranks is taken anew, 1,000 times. Two models that share names (base-model prefixes
    aside) and shapes are resampled in pairs.

    Args:
        scores: models that have the metric.
        metric: a metric of matrices.
        seed: the run's seed.

    Returns:
        By the indices i < j of two models, the first less the second.
    """
    layers = [_layers(score, metric) for score in scores]
    draws = [_resampled(each, seed) for each in layers]
    # Unpaired models: without this, roles of equal size would be resampled as pairs.
    apart = [np.random.default_rng(seed).permutation(each) for each in draws]
    pairs = combinations(range(len(scores)), 2)
    found: dict[tuple[int, int], Difference] = {}
    while chunk := list(islice(pairs, _CHUNK)):
        compared = [_compared(layers[i], layers[j], draws[i], draws[j], apart[j], seed) for i, j in chunk]
        ends = np.quantile(np.array([each.draws for each in compared]), [0.025, 0.975], axis=1).T
        found |= {pair: _difference(each, lo, hi) for pair, each, (lo, hi) in zip(chunk, compared, ends, strict=True)}
    return found


def _layers(score: ModelScore, metric: str) -> _Layers:
    fitted = [row for row in belonging_rows(score.layers, score.preset) if row.fit is not None]
    rows = rows_with_value(fitted, metric, score.preset)
    rows.sort(key=matrix_key)
    return _Layers(
        tuple(map(matrix_key, rows)),
        np.array([row.metrics[metric] for row in rows]),
        np.array([_deviation(row, metric) for row in rows]),
        np.array([_rounding(row, metric) for row in rows]),
        score.preset.headline,
    )


def _deviation(row: LayerScore, metric: str) -> float:
    """Of alpha, from its interval; no other metric has one."""
    lo, hi = (row.metrics.get(name, nan) for name in ("alpha_lo", "alpha_hi"))
    return (hi - lo) / _WIDTH_95 if metric == "alpha" and isfinite(hi - lo) else 0.0


def _rounding(row: LayerScore, metric: str) -> float:
    """What an error of the stored numbers can do to alpha: every λ moves by at most 2u/√3 of itself, or so."""
    if not metric.startswith("alpha") or row.metrics[metric] <= 1:
        return 0.0
    return float((row.metrics[metric] - 1) ** 2 * 2 * row.spectrum.unit_roundoff / sqrt(3))


def _resampled(layers: _Layers, seed: int) -> np.ndarray:
    """The summary of resampled matrices, `_DRAWS` of them.

    Which matrices are drawn follows from how many there are of each role: two models of one architecture are
    resampled alike, and the difference of their draws is that of pairs.
    """
    if not layers.values.size:
        return np.full(_DRAWS, nan)
    moved = sha256(layers.values.tobytes()).digest()
    noise = np.random.default_rng([seed, int.from_bytes(moved)])
    roles = [key[0] for key in layers.keys]
    columns = []
    for role in sorted(set(roles)):
        members = np.flatnonzero([each == role for each in roles])
        rng = np.random.default_rng([seed, int.from_bytes(sha256(role.encode()).digest()), members.size])
        columns.append(members[rng.integers(members.size, size=(_DRAWS, members.size))])
    drawn = np.concatenate(columns, axis=1)
    values = layers.values[drawn] + layers.deviations[drawn] * noise.standard_normal(drawn.shape)
    return _summary(values, layers.headline)


def _summary(values: np.ndarray, headline: str) -> np.ndarray:
    summary: np.ndarray = np.median(values, axis=-1) if headline == "median" else values.mean(axis=-1)
    return summary


@dataclass(frozen=True)
class _Compared:
    """Two models on the way to their difference: of their pairs, where they are paired."""

    a: _Layers
    b: _Layers
    draws: np.ndarray
    bounds: tuple[float, float] | None
    pairs: int
    lost: int


def _compared(
    a: _Layers, b: _Layers, draws_a: np.ndarray, draws_b: np.ndarray, apart_b: np.ndarray, seed: int
) -> _Compared:
    shared = a.key_set & b.key_set
    if not (shared and len(shared) >= _MIN_SHARED * max(a.values.size, b.values.size)):
        return _Compared(a, b, draws_a - apart_b, None, 0, 0)
    lost = a.values.size + b.values.size - 2 * len(shared)
    if not lost:
        return _Compared(a, b, draws_a - draws_b, None, len(shared), 0)
    bounds = _bounds(a, b)
    a, b = a.only(shared), b.only(shared)
    draws = _resampled(a, seed) - _resampled(b, seed)
    return _Compared(a, b, draws, bounds, len(shared), lost)


def _difference(found: _Compared, lo: float, hi: float) -> Difference:
    a, b = found.a, found.b
    if not (a.values.size and b.values.size):
        return Difference(nan, nan, nan, nan, nan, nan, 0, 0)
    value = a.summary - b.summary
    delta = max(_NEGLIGIBLE * max(a.spread, b.spread), a.usual_rounding, b.usual_rounding)
    return Difference(value, float(lo), float(hi), delta, *(found.bounds or (value, value)), found.pairs, found.lost)


def _bounds(a: _Layers, b: _Layers) -> tuple[float, float]:
    """Smallest and largest difference if each unpaired matrix took the lowest or highest value of either model."""
    only_a = sum(key not in b.keys for key in a.keys)
    only_b = sum(key not in a.keys for key in b.keys)
    low = min(float(a.values.min()), float(b.values.min()))
    high = max(float(a.values.max()), float(b.values.max()))

    def filled(layers: _Layers, missing: int, value: float) -> float:
        return float(_summary(np.append(layers.values, np.full(missing, value)), layers.headline))

    return (
        filled(a, only_b, low) - filled(b, only_a, high),
        filled(a, only_b, high) - filled(b, only_a, low),
    )

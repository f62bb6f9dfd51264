"""The interval of a model's number over its resampled layers."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from math import isfinite, nan

import numpy as np

from wqscore.ranking.pairing import MatrixKey, matrix_key
from wqscore.scoring.layer_score import LayerScore
from wqscore.scoring.model_score import ModelScore
from wqscore.scoring.summary import belonging_rows, rows_with_value

_DRAWS = 1000
#: An interval of 95 %, in standard deviations of a normal law.
_WIDTH_95 = 2 * 1.959964


@dataclass(frozen=True)
class _Layers:
    """A metric's values over a model's matrices, in the order of role and name.

    Attributes:
        keys: role, bare name and shape of each.
        values: shape (n,).
        deviations: standard deviation of each fit, 0 where none is known.
        headline: the statistic that sums them up.
    """

    keys: tuple[MatrixKey, ...]
    values: np.ndarray
    deviations: np.ndarray
    headline: str


def resampled_interval(score: ModelScore, metric: str, seed: int) -> tuple[float, float]:
    """Where 95 % of a model's summary lie over its resampled layers.

    Args:
        score: a model that has the metric.
        metric: a metric of matrices.
        seed: the run's seed.

    Returns:
        The lower and the upper end; NaN where no matrix has a value, or resampling changes nothing, as with one
        matrix per role.
    """
    draws = _resampled(_layers(score, metric), seed)
    lo, hi = np.quantile(draws, [0.025, 0.975])
    return (float(lo), float(hi)) if lo < hi else (nan, nan)


def _layers(score: ModelScore, metric: str) -> _Layers:
    fitted = [row for row in belonging_rows(score.layers, score.preset) if row.fit is not None]
    rows = rows_with_value(fitted, metric, score.preset)
    rows.sort(key=matrix_key)
    return _Layers(
        tuple(map(matrix_key, rows)),
        np.array([row.metrics[metric] for row in rows]),
        np.array([_deviation(row, metric) for row in rows]),
        score.preset.headline,
    )


def _deviation(row: LayerScore, metric: str) -> float:
    """Of alpha, from its interval; no other metric has one."""
    lo, hi = (row.metrics.get(name, nan) for name in ("alpha_lo", "alpha_hi"))
    return (hi - lo) / _WIDTH_95 if metric == "alpha" and isfinite(hi - lo) else 0.0


def _resampled(layers: _Layers, seed: int) -> np.ndarray:
    """The summary of resampled matrices, `_DRAWS` of them."""
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

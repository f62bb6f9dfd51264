"""Metrics of how far a matrix is from the same matrix in a base or initial checkpoint."""

from __future__ import annotations

from functools import partial

from wqscore.metrics.metric import MatrixMetric

_JIANG = "Jiang et al., ICLR 2020, eq. {}; Yang et al., KDD 2023"
_CAVEAT = "follows the generalisation gap and the length of training; says nothing across bases"

_distance = partial(
    MatrixMetric,
    unit="w²",
    cost="base",
    undefined="no matrix of that name and shape in the base checkpoint",
    summed=True,
    needs_fit=False,
)

BASE_METRICS = (
    _distance(
        "fro_dist",
        "‖W − W₀‖_F², W₀ the same matrix of the base checkpoint; a model's is the sum",
        _JIANG.format(40),
        _CAVEAT,
        lambda a: a.distances[0],
    ),
    _distance(
        "spectral_dist",
        "‖W − W₀‖₂², the largest slice's for a convolution; a model's is the sum",
        _JIANG.format(41),
        _CAVEAT,
        lambda a: a.distances[1],
    ),
)

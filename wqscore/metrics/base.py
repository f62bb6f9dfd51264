"""How far a matrix is from the same one of a base or initial checkpoint."""

from __future__ import annotations

from wqscore.metrics.metric import MatrixMetric

_JIANG = "Jiang et al., ICLR 2020, eq. {}; Yang et al., KDD 2023"
_UNPAIRED = "no matrix of that name and shape in the base checkpoint"
_CAVEAT = "follows the generalisation gap and the length of training; says nothing across bases"

BASE_METRICS = (
    MatrixMetric(
        "fro_dist",
        "‖W − W₀‖_F², W₀ the same matrix of the base checkpoint; a model's is the sum",
        "w²",
        "lower",
        _JIANG.format(40),
        _CAVEAT,
        lambda a: a.distances[0],
        cost="base",
        undefined=_UNPAIRED,
        summed=True,
    ),
    MatrixMetric(
        "spectral_dist",
        "‖W − W₀‖₂², the largest slice's for a convolution; a model's is the sum",
        "w²",
        "lower",
        _JIANG.format(41),
        _CAVEAT,
        lambda a: a.distances[1],
        cost="base",
        undefined=_UNPAIRED,
        summed=True,
    ),
)

"""Metrics of a whole model: the norm family of the generalisation-measure literature, over all its matrices."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite, nan

import numpy as np

from wqscore.matrices.feed_forward import Undefined
from wqscore.metrics.analysis import ModelAnalysis
from wqscore.metrics.metric import ModelMetric, ModelValue
from wqscore.metrics.norms import fro_over_spectral, log_product, log_sum, param_norm
from wqscore.metrics.path_norm import log_path_norm


def path_norm(analysis: ModelAnalysis) -> ModelValue:
    """Return the natural log of the path norm of a chain of linear layers; reads the model's tensors again."""
    chain = analysis.chain
    if isinstance(chain, Undefined):
        return ModelValue(nan, 0, chain.reason)
    value = log_path_norm(
        (layer.weight.read(), None if layer.bias is None else layer.bias.read()) for layer in chain.layers
    )
    reason = "" if isfinite(value) else "a weight is not finite, or every path has a weight of 0"
    return ModelValue(value, len(chain.layers), reason)


def _why_no_norm(analysis: ModelAnalysis) -> str:
    if not analysis.frobenius.size:
        return "no matrix was read"
    if not np.isfinite(analysis.frobenius).all():
        return "a matrix has weights that are not finite, or too large to square"
    return "a matrix is zero" if (analysis.frobenius == 0).any() else "the sum is beyond the range of a number"


_JIANG = "Jiang et al., ICLR 2020, eq. {}, without the sample size"
_CLAIM = "norms follow the generalisation gap rather than test quality; "
_PRODUCT = _CLAIM + "often negatively correlated with generalisation (Jiang et al.), and grows with depth"
_SUM = _CLAIM + "fails inside one architecture when hyper-parameters vary"


def _norm(
    name: str,
    formula: str,
    equation: int,
    caveat: str,
    value: Callable[[ModelAnalysis], float],
    unit: str = "ln w²",
    undefined: str = "not defined when a matrix is zero or not finite",
) -> ModelMetric:
    """A metric of the norm family; its value has a reason where it is not defined."""

    def compute(analysis: ModelAnalysis) -> ModelValue:
        found = value(analysis)
        return ModelValue(found, analysis.frobenius.size, "" if isfinite(found) else _why_no_norm(analysis))

    return ModelMetric(
        name, formula, _JIANG.format(equation), caveat, compute, unit=unit, undefined=undefined, needs_fit=False
    )


MODEL_METRICS = (
    _norm("log_prod_spectral", "Σ ln σ₁² over all matrices", 32, _PRODUCT, lambda m: log_product(m.spectral)),
    _norm("log_sum_spectral", "ln d + (Σ ln σ₁²)/d over all d matrices", 35, _SUM, lambda m: log_sum(m.spectral)),
    _norm("log_prod_fro", "Σ ln ‖W‖_F² over all matrices", 37, _PRODUCT, lambda m: log_product(m.frobenius)),
    _norm("log_sum_fro", "ln d + (Σ ln ‖W‖_F²)/d over all d matrices", 39, _SUM, lambda m: log_sum(m.frobenius)),
    _norm(
        "fro_over_spectral",
        "Σ ‖W‖_F²/σ₁² over all matrices, the sum of stable ranks",
        33,
        "follows the model's size",
        lambda m: fro_over_spectral(m.frobenius, m.spectral),
        unit="1",
    ),
    _norm(
        "param_norm",
        "Σ ‖W‖_F² over all matrices",
        42,
        _CLAIM + "changes when weights are rescaled",
        lambda m: param_norm(m.frobenius),
        unit="w²",
        undefined="a matrix is not finite",
    ),
    ModelMetric(
        "log_path_norm",
        "ln of the sum of the outputs for an input of ones, every parameter squared",
        _JIANG.format(44),
        _CLAIM + "only for a plain chain of linear layers, taken to have ReLU between them",
        path_norm,
        unit="ln w^2d",
        cost="weights",
        undefined="the model is not one chain of linear layers",
        needs_fit=False,
    ),
)

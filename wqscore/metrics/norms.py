"""The norm family of the generalisation-measure literature: one number for all matrices of a model.

Definitions and equation numbers: Jiang et al., "Fantastic generalization measures and where to find them" (ICLR
2020). In logs, and without the division by the number of training samples that the papers end with, as computed by
Dziugaite et al., "In search of robust measures of generalization" (NeurIPS 2020) and Yang et al. (KDD 2023): all
norms are squared, and "sum" is the margin-free d·(Π‖W_i‖²)^(1/d), not a sum of norms. Those papers count every
parameter except biases and batch normalisation's as a matrix; here d counts only weight matrices, and a
convolution's spectral norm is that of its largest slice.

All functions take one value for each of a model's d matrices, in any order, and return NaN where a value is negative
or not finite, or d = 0.
"""

from __future__ import annotations

from math import isfinite, log, nan

import numpy as np


def log_product(squared_norms: np.ndarray) -> float:
    """Return Σ ln ‖W_i‖², the natural log of the product; NaN where a norm is 0.

    Example:
        >>> log_product(np.array([1e300, 1e300, 1.0])) == 2 * log(1e300)
        True
    """
    if not squared_norms.size or not _all_positive(squared_norms):
        return nan
    return float(np.log(squared_norms).sum())


def log_sum(squared_norms: np.ndarray) -> float:
    """Return the natural log of d times the geometric mean, ln d + (Σ ln ‖W_i‖²)/d; NaN where a norm is 0.

    Example:
        >>> log_sum(np.array([2.0, 8.0])) == log(2 * 4.0)
        True
    """
    depth = squared_norms.size
    return log(depth) + log_product(squared_norms) / depth if depth else nan


def fro_over_spectral(frobenius: np.ndarray, spectral: np.ndarray) -> float:
    """Return Σ ‖W_i‖_F²/σ₁(W_i)², the sum of the stable ranks; NaN where a matrix is 0."""
    if not frobenius.size or not (_all_positive(frobenius) and _all_positive(spectral)):
        return nan
    with np.errstate(over="ignore"):
        return _finite(float((frobenius / spectral).sum()))


def param_norm(frobenius: np.ndarray) -> float:
    """Return Σ ‖W_i‖_F²; NaN where the sum leaves the range of a float."""
    with np.errstate(over="ignore", invalid="ignore"):
        return _finite(float(frobenius.sum())) if frobenius.size else nan


def _all_positive(values: np.ndarray) -> bool:
    return bool(((values > 0) & (values < np.inf)).all())


def _finite(value: float) -> float:
    return value if isfinite(value) else nan

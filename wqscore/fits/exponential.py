"""The exponential tail, p(λ) = Λ·e^{−Λ(λ − xmin)} for λ ≥ xmin: KDD 2023's `EXP_lambda` when xmin is the mode."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from wqscore.fits.tail import tail_from
from wqscore.fits.truncated_power_law import fit_e_tpl


@dataclass(frozen=True)
class ExponentialFit:
    """p(λ) = Lambda·e^{−Lambda(λ − xmin)} for λ ≥ xmin.

    Attributes:
        Lambda: the rate, in units of 1/λ.
        xmin: where the tail begins.
        D: max_{k = 0 … n_tail−1} |F(λ_k) − k/n_tail|, as for the power law.
        loglik: Σ ln p(λ) over the tail.
        n_tail: eigenvalues in the tail.
    """

    Lambda: float
    xmin: float
    D: float
    loglik: float
    n_tail: int


def fit_exponential(eigenvalues: np.ndarray, floor: float, xmin: float) -> ExponentialFit | None:
    """Fit the tail from xmin on by maximum likelihood, Lambda = 1/(mean − xmin).

    Args:
        eigenvalues: ascending, finite, shape (N,).
        floor: only eigenvalues above it take part.
        xmin: where the tail begins; need not be an eigenvalue.

    Returns:
        `None` when there is no tail to fit (`tail_from` says when), or its rate is beyond float64's range.

    Example:
        >>> quantiles = (np.arange(1000) + 0.5) / 1000
        >>> round(fit_exponential(1 - np.log(1 - quantiles) / 3, 0.0, xmin=1.0).Lambda, 1)
        3.0
    """
    tail = tail_from(eigenvalues, floor, xmin)
    if tail is None:
        return None
    largest = float(tail[-1])
    excess = tail / largest - float(xmin) / largest
    rate = 1 / float(excess.mean())
    Lambda = rate / largest
    if not math.isfinite(Lambda):
        return None
    distances = np.abs(-np.expm1(-rate * excess) - np.arange(tail.size) / tail.size)
    loglik = tail.size * (math.log(rate) - math.log(largest) - 1)
    return ExponentialFit(Lambda, float(xmin), float(distances.max()), loglik, tail.size)


def fit_exponential_at_mode(eigenvalues: np.ndarray, floor: float = 0.0) -> ExponentialFit | None:
    """Fit E-TPL's tail, from the ESD's mode on; `None` where E-TPL or the exponential can't be fitted."""
    tail = fit_e_tpl(eigenvalues, floor)
    return fit_exponential(eigenvalues, floor, tail.xmin) if tail else None

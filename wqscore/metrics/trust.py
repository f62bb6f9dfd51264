"""How far alpha can be trusted: its interval, its goodness of fit, and other laws on the same tail."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import nan
from typing import Literal

from wqscore.fits.comparison import NestedRatio, VuongRatio
from wqscore.metrics.analysis import MatrixAnalysis
from wqscore.metrics.metric import NO_CLAIM, NO_TAIL, MatrixMetric

_CSN = "Clauset, Shalizi & Newman 2009"
_EFRON = "Efron & Tibshirani 1993, section 13.3"
_CONSERVATIVE = "no claim; conservative, since eigenvalues repel each other: never used to compare two models"
_VUONG = f"{_CSN}, appendix C, after Vuong 1989"
_R = "log-likelihood ratio of the power law to the {} on its tail, over its standard deviation"
_P = "two-sided p-value of R_{}"
_R_CAVEAT = "no claim; above 0 the power law is likelier, below 0 the other law"

_resampled = partial(
    MatrixMetric,
    cost="resampling",
    core=True,
    summarised=False,
    undefined="no tail of 10 eigenvalues to fit, no resamples asked for, or a preset with another fit",
)


def _ratio(
    name: str,
    formula: str,
    caveat: str,
    p_formula: str,
    ratio: Callable[[MatrixAnalysis], VuongRatio | NestedRatio | None],
    source: str = _VUONG,
    better: Literal["lower", "higher"] = "higher",
    undefined: str = NO_TAIL,
) -> tuple[MatrixMetric, MatrixMetric]:
    """A likelihood ratio, `R_law` or `LR_law`, and its p-value, `p_law`."""
    field, _, law = name.partition("_")
    metric = partial(MatrixMetric, cost="fit", undefined=undefined)
    return (
        metric(name, formula, source, caveat, lambda a: getattr(ratio(a), field, nan), better=better),
        metric(f"p_{law}", p_formula, source, NO_CLAIM, lambda a: getattr(ratio(a), "p", nan), summarised=False),
    )


TRUST_METRICS = (
    _resampled(
        "alpha_lo",
        "2.5 % point of alpha over resampled eigenvalues, xmin chosen anew in each",
        _EFRON,
        _CONSERVATIVE,
        lambda a: a.interval.lo if a.interval else nan,
    ),
    _resampled(
        "alpha_hi",
        "97.5 % point of the same",
        _EFRON,
        _CONSERVATIVE,
        lambda a: a.interval.hi if a.interval else nan,
    ),
    _resampled(
        "p_value",
        "(1 + #{D* ≥ D}) / (1 + draws), D* of synthetic draws from the fit and the eigenvalues below it, fitted anew",
        f"{_CSN}, section 4.1",
        "its power grows with the tail: a large well-formed tail is rejected more easily than a small bad one",
        lambda a: a.p_value,
        better="higher",
    ),
    MatrixMetric(
        "alpha_least",
        "smallest alpha over the xmin's with D within 10 % of the best",
        "wqscore",
        NO_CLAIM,
        lambda a: a.alpha_range[0] if a.alpha_range else nan,
        summarised=False,
    ),
    MatrixMetric(
        "alpha_most",
        "largest alpha over the xmin's with D within 10 % of the best",
        "wqscore",
        NO_CLAIM,
        lambda a: a.alpha_range[1] if a.alpha_range else nan,
        summarised=False,
    ),
    *_ratio(
        "R_exponential", _R.format("exponential"), _R_CAVEAT, _P.format("exponential"), lambda a: a.versus_exponential
    ),
    *_ratio(
        "R_lognormal",
        _R.format("lognormal"),
        f"{_R_CAVEAT}; 0 where the lognormal is at its limit, the power law",
        _P.format("lognormal"),
        lambda a: a.versus_lognormal,
    ),
    *_ratio(
        "LR_tpl",
        "twice the log-likelihood ratio of the truncated power law to the power law on its tail",
        "no claim; every spectrum has bounded support, so the truncated law wins on 37 to 72 % of trained matrices",
        "p-value of LR_tpl, against half of χ² with one degree of freedom",
        lambda a: a.versus_truncated,
        source=f"{_CSN}, appendix C; at the bound Λ = 0 Self & Liang 1987",
        better="lower",
        undefined="no tail of 10 eigenvalues, or the truncated fit does not converge",
    ),
)

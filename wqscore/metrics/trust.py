"""How far alpha can be trusted: its interval, its goodness of fit, and other laws on the same tail."""

from __future__ import annotations

from math import nan

from wqscore.metrics.metric import MatrixMetric

_CSN = "Clauset, Shalizi & Newman 2009"
_CONSERVATIVE = "no claim; conservative, since eigenvalues repel each other: never used to compare two models"
_NO_INTERVAL = "no tail of 10 eigenvalues to fit, no resamples asked for, or a preset with another fit"
_VUONG = f"{_CSN}, appendix C, after Vuong 1989"
_RATIO = "no claim; above 0 the power law is likelier, below 0 the other law"
_P = "no claim; an order by convention"

TRUST_METRICS = (
    MatrixMetric(
        "alpha_lo",
        "2.5 % point of alpha over resampled eigenvalues, xmin chosen anew in each",
        "1",
        "lower",
        "Efron & Tibshirani 1993, section 13.3",
        _CONSERVATIVE,
        lambda a: a.interval.lo if a.interval else nan,
        cost="resampling",
        core=True,
        undefined=_NO_INTERVAL,
    ),
    MatrixMetric(
        "alpha_hi",
        "97.5 % point of the same",
        "1",
        "lower",
        "Efron & Tibshirani 1993, section 13.3",
        _CONSERVATIVE,
        lambda a: a.interval.hi if a.interval else nan,
        cost="resampling",
        core=True,
        undefined=_NO_INTERVAL,
    ),
    MatrixMetric(
        "p_value",
        "(1 + #{D* ≥ D}) / (1 + draws), D* of synthetic draws from the fit and the eigenvalues below it, fitted anew",
        "1",
        "higher",
        f"{_CSN}, section 4.1",
        "its power grows with the tail: a large well-formed tail is rejected more easily than a small bad one",
        lambda a: a.p_value,
        cost="resampling",
        core=True,
        undefined=_NO_INTERVAL,
    ),
    MatrixMetric(
        "alpha_least",
        "smallest alpha over the xmin's with D within 10 % of the best",
        "1",
        "lower",
        "wqscore",
        _P,
        lambda a: a.alpha_range[0] if a.alpha_range else nan,
    ),
    MatrixMetric(
        "alpha_most",
        "largest alpha over the xmin's with D within 10 % of the best",
        "1",
        "lower",
        "wqscore",
        _P,
        lambda a: a.alpha_range[1] if a.alpha_range else nan,
    ),
    MatrixMetric(
        "R_exponential",
        "log-likelihood ratio of the power law to the exponential on its tail, over its standard deviation",
        "1",
        "higher",
        _VUONG,
        _RATIO,
        lambda a: a.versus_exponential.R if a.versus_exponential else nan,
        cost="fit",
    ),
    MatrixMetric(
        "p_exponential",
        "two-sided p-value of R_exponential",
        "1",
        "lower",
        _VUONG,
        _P,
        lambda a: a.versus_exponential.p if a.versus_exponential else nan,
        cost="fit",
    ),
    MatrixMetric(
        "R_lognormal",
        "log-likelihood ratio of the power law to the lognormal on its tail, over its standard deviation",
        "1",
        "higher",
        _VUONG,
        f"{_RATIO}; 0 where the lognormal is at its limit, the power law",
        lambda a: a.versus_lognormal.R if a.versus_lognormal else nan,
        cost="fit",
    ),
    MatrixMetric(
        "p_lognormal",
        "two-sided p-value of R_lognormal",
        "1",
        "lower",
        _VUONG,
        _P,
        lambda a: a.versus_lognormal.p if a.versus_lognormal else nan,
        cost="fit",
    ),
    MatrixMetric(
        "LR_tpl",
        "twice the log-likelihood ratio of the truncated power law to the power law on its tail",
        "1",
        "lower",
        f"{_CSN}, appendix C; at the bound Λ = 0 Self & Liang 1987",
        "no claim; every spectrum has bounded support, so the truncated law wins on 37 to 72 % of trained matrices",
        lambda a: a.versus_truncated.LR if a.versus_truncated else nan,
        cost="fit",
        undefined="no tail of 10 eigenvalues, or the truncated fit does not converge",
    ),
    MatrixMetric(
        "p_tpl",
        "p-value of LR_tpl, against half of χ² with one degree of freedom",
        "1",
        "lower",
        f"{_CSN}, appendix C; at the bound Λ = 0 Self & Liang 1987",
        _P,
        lambda a: a.versus_truncated.p if a.versus_truncated else nan,
        cost="fit",
        undefined="no tail of 10 eigenvalues, or the truncated fit does not converge",
    ),
)

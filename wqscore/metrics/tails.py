"""Other families fitted to the tail: the truncated power law, also at the mode, the exponential, the lognormal."""

from __future__ import annotations

from math import nan

from wqscore.metrics.metric import MatrixMetric

_TPL = "WeightWatcher TPL; Alstott, Bullmore & Plenz, PLoS ONE 9 (2014)"
_KDD = "Yang et al., KDD 2023 (arXiv 2202.02842)"
_TPL_FORMULA = "the maximum-likelihood fit of p(λ) ∝ λ^−α·e^(−Λλ), λ ≥ xmin, xmin where the KS distance is smallest"
_E_TPL_FORMULA = "the fit of p(λ) ∝ λ^−β·e^(−Λλ) with xmin within 5 % of the ESD's mode, Λ ≥ 0"
_EXP_FORMULA = "the fit of p(λ) ∝ e^(−Λλ) on E-TPL's tail, 1/(mean − xmin)"
_NO_CLAIM = "no claim; every spectrum has bounded support, so the cut-off wins over the power law often"
_KDD_CAVEAT = (
    "second best over training time in its paper, reversed with depth among small BERTs, "
    "and behind alpha on published models"
)
_PER_MEAN = "times the mean eigenvalue Σλ/N"
_NO_MODE_TAIL = "no tail of 10 eigenvalues from the mode on, or its fit does not converge"
_POWER_LAW = "no tail of 10 eigenvalues, or one so close to a power law, the lognormal's limit, that no mu is best"
_NO_TPL = "no tail of 10 eigenvalues, or the fit of one does not converge"

TAIL_METRICS = (
    MatrixMetric(
        "tpl_alpha",
        f"α of {_TPL_FORMULA}",
        "1",
        "lower",
        _TPL,
        _NO_CLAIM,
        lambda a: a.truncated.alpha if a.truncated else nan,
        cost="fit",
        undefined=_NO_TPL,
    ),
    MatrixMetric(
        "tpl_lambda",
        f"Λ of {_TPL_FORMULA}",
        "1/w²",
        "lower",
        _TPL,
        _NO_CLAIM,
        lambda a: a.truncated.Lambda if a.truncated else nan,
        cost="fit",
        undefined=_NO_TPL,
    ),
    MatrixMetric(
        "tpl_lambda_scaled",
        f"tpl_lambda {_PER_MEAN}",
        "1",
        "lower",
        _TPL,
        _NO_CLAIM,
        lambda a: a.truncated.Lambda * a.mean_eigenvalue if a.truncated else nan,
        cost="fit",
        undefined=_NO_TPL,
    ),
    MatrixMetric(
        "tpl_D",
        "KS distance of the truncated power law",
        "1",
        "lower",
        _TPL,
        "no claim; grows as the tail gets shorter",
        lambda a: a.truncated.D if a.truncated else nan,
        cost="fit",
        undefined=_NO_TPL,
    ),
    MatrixMetric(
        "e_tpl_beta",
        f"β of {_E_TPL_FORMULA}",
        "1",
        "lower",
        _KDD,
        "published values stop at 1, a bound of the optimiser; from about −60 for noise upwards without it",
        lambda a: a.e_tpl.alpha if a.e_tpl else nan,
        cost="fit",
        undefined=_NO_MODE_TAIL,
    ),
    MatrixMetric(
        "e_tpl_lambda",
        f"Λ of {_E_TPL_FORMULA}",
        "1/w²",
        "lower",
        _KDD,
        f"{_KDD_CAVEAT}; changes when weights are rescaled",
        lambda a: a.e_tpl.Lambda if a.e_tpl else nan,
        cost="fit",
        undefined=_NO_MODE_TAIL,
    ),
    MatrixMetric(
        "e_tpl_lambda_scaled",
        f"e_tpl_lambda {_PER_MEAN}",
        "1",
        "lower",
        _KDD,
        _KDD_CAVEAT,
        lambda a: a.e_tpl.Lambda * a.mean_eigenvalue if a.e_tpl else nan,
        cost="fit",
        undefined=_NO_MODE_TAIL,
    ),
    MatrixMetric(
        "e_tpl_D",
        "KS distance of E-TPL",
        "1",
        "lower",
        _KDD,
        "right among small BERTs where its Λ is reversed; no strong correlation on published models",
        lambda a: a.e_tpl.D if a.e_tpl else nan,
        cost="fit",
        undefined=_NO_MODE_TAIL,
    ),
    MatrixMetric(
        "exp_lambda",
        f"Λ of {_EXP_FORMULA}",
        "1/w²",
        "lower",
        _KDD,
        "the best of its paper over training time; changes when weights are rescaled",
        lambda a: a.exponential.Lambda if a.exponential else nan,
        cost="fit",
        undefined=_NO_MODE_TAIL,
    ),
    MatrixMetric(
        "exp_lambda_scaled",
        f"exp_lambda {_PER_MEAN}",
        "1",
        "lower",
        _KDD,
        "untried in this form; exp_lambda is the best of its paper over training time",
        lambda a: a.exponential.Lambda * a.mean_eigenvalue if a.exponential else nan,
        cost="fit",
        undefined=_NO_MODE_TAIL,
    ),
    MatrixMetric(
        "exp_D",
        "KS distance of the exponential on E-TPL's tail",
        "1",
        "lower",
        _KDD,
        "no claim",
        lambda a: a.exponential.D if a.exponential else nan,
        cost="fit",
        undefined=_NO_MODE_TAIL,
    ),
    MatrixMetric(
        "lognormal_mu",
        "centre of ln λ of the lognormal cut off below alpha's xmin",
        "ln w²",
        "lower",
        "Clauset, Shalizi & Newman 2009, table 2.1",
        "no claim",
        lambda a: a.lognormal.mu if a.lognormal and not a.lognormal.at_limit else nan,
        cost="fit",
        undefined=_POWER_LAW,
    ),
    MatrixMetric(
        "lognormal_sigma",
        "spread of ln λ of the lognormal cut off below alpha's xmin",
        "1",
        "lower",
        "Clauset, Shalizi & Newman 2009, table 2.1",
        "no claim",
        lambda a: a.lognormal.sigma if a.lognormal and not a.lognormal.at_limit else nan,
        cost="fit",
        undefined=_POWER_LAW,
    ),
    MatrixMetric(
        "lognormal_D",
        "KS distance of the lognormal on alpha's tail",
        "1",
        "lower",
        "Clauset, Shalizi & Newman 2009, table 2.1",
        "no claim; below D where the tail bends",
        lambda a: a.lognormal.D if a.lognormal else nan,
        cost="fit",
    ),
)

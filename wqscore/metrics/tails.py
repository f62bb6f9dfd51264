"""Other families fitted to the tail: the truncated power law (also at the mode), the exponential, the lognormal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import nan
from types import MappingProxyType
from typing import Any

from wqscore.fits.exponential import ExponentialFit
from wqscore.fits.truncated_power_law import TruncatedPowerLawFit
from wqscore.metrics.analysis import MatrixAnalysis
from wqscore.metrics.metric import MatrixMetric

_Law = Callable[[MatrixAnalysis], TruncatedPowerLawFit | ExponentialFit | None]

_KDD = "Yang et al., KDD 2023 (arXiv 2202.02842)"
_CSN = "Clauset, Shalizi & Newman 2009, table 2.1"
_UNTRIED = "no claim; every spectrum has bounded support, so the cut-off wins over the power law often"
_KDD_CAVEAT = (
    "second best over training time in its paper, reversed with depth among small BERTs, "
    "and behind alpha on published models"
)
_NO_MODE_TAIL = "no tail of 10 eigenvalues from the mode on, or its fit does not converge"
_POWER_LAW = "no tail of 10 eigenvalues, or one so close to a power law, the lognormal's limit, that no mu is best"

#: The metrics of a law with a cut-off: formula, unit, and the value from the fit and the mean eigenvalue.
_PARTS: Mapping[str, tuple[str, str, Callable[[Any, float], float]]] = MappingProxyType(
    {
        "alpha": ("α of {formula}", "1", lambda fit, mean: fit.alpha),
        "beta": ("β of {formula}", "1", lambda fit, mean: fit.alpha),
        "lambda": ("Λ of {formula}", "1/w²", lambda fit, mean: fit.Lambda),
        "lambda_scaled": ("{law}_lambda times the mean eigenvalue Σλ/N", "1", lambda fit, mean: fit.Lambda * mean),
        "D": ("KS distance of {distance}", "1", lambda fit, mean: fit.D),
    }
)


def _cut_off_law(
    law: str, fit: _Law, formula: str, distance: str, caveats: Mapping[str, str], source: str, undefined: str
) -> Iterator[MatrixMetric]:
    """Metrics of a law with the cut-off e^(−Λλ), one for each part in `caveats`, in its order."""

    def compute(value: Callable[[Any, float], float]) -> Callable[[MatrixAnalysis], float]:
        return lambda a: value(found, a.mean_eigenvalue) if (found := fit(a)) else nan

    for part, caveat in caveats.items():
        definition, unit, value = _PARTS[part]
        yield MatrixMetric(
            f"{law}_{part}",
            definition.format(law=law, formula=formula, distance=distance),
            *(source, caveat, compute(value)),
            unit=unit,
            cost="fit",
            undefined=undefined,
        )


TAIL_METRICS = (
    *_cut_off_law(
        "tpl",
        lambda a: a.truncated,
        "the maximum-likelihood fit of p(λ) ∝ λ^−α·e^(−Λλ), λ ≥ xmin, xmin where the KS distance is smallest",
        "the truncated power law",
        {
            **dict.fromkeys(("alpha", "lambda", "lambda_scaled"), _UNTRIED),
            "D": "no claim; grows as the tail gets shorter",
        },
        "WeightWatcher TPL; Alstott, Bullmore & Plenz, PLoS ONE 9 (2014)",
        "no tail of 10 eigenvalues, or the fit of one does not converge",
    ),
    *_cut_off_law(
        "e_tpl",
        lambda a: a.e_tpl,
        "the fit of p(λ) ∝ λ^−β·e^(−Λλ) with xmin within 5 % of the ESD's mode, Λ ≥ 0",
        "E-TPL",
        {
            "beta": "published values stop at 1, a bound of the optimiser; "
            "from about −60 for noise upwards without it",
            "lambda": f"{_KDD_CAVEAT}; changes when weights are rescaled",
            "lambda_scaled": _KDD_CAVEAT,
            "D": "right among small BERTs where its Λ is reversed; no strong correlation on published models",
        },
        _KDD,
        _NO_MODE_TAIL,
    ),
    *_cut_off_law(
        "exp",
        lambda a: a.exponential,
        "the fit of p(λ) ∝ e^(−Λλ) on E-TPL's tail, 1/(mean − xmin)",
        "the exponential on E-TPL's tail",
        {
            "lambda": "the best of its paper over training time; changes when weights are rescaled",
            "lambda_scaled": "untried in this form; exp_lambda is the best of its paper over training time",
            "D": "no claim",
        },
        _KDD,
        _NO_MODE_TAIL,
    ),
    MatrixMetric(
        "lognormal_mu",
        "centre of ln λ of the lognormal cut off below alpha's xmin",
        _CSN,
        "no claim",
        lambda a: a.lognormal.mu if a.lognormal and not a.lognormal.at_limit else nan,
        unit="ln w²",
        cost="fit",
        undefined=_POWER_LAW,
    ),
    MatrixMetric(
        "lognormal_sigma",
        "spread of ln λ of the lognormal cut off below alpha's xmin",
        _CSN,
        "no claim",
        lambda a: a.lognormal.sigma if a.lognormal and not a.lognormal.at_limit else nan,
        cost="fit",
        undefined=_POWER_LAW,
    ),
    MatrixMetric(
        "lognormal_D",
        "KS distance of the lognormal on alpha's tail",
        _CSN,
        "no claim; below D where the tail bends",
        lambda a: a.lognormal.D if a.lognormal else nan,
        cost="fit",
    ),
)

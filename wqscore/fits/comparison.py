"""Is another family likelier than the power law on the same tail? Likelihood ratios and their p-values.

Vuong, "Likelihood ratio tests for model selection and non-nested hypotheses", Econometrica 57 (1989), as in Clauset,
Shalizi & Newman, SIAM Review 51 (2009), appendix C. The alternative is always fitted from the power law's xmin on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from wqscore.fits.exponential import ExponentialFit
from wqscore.fits.lognormal import LognormalFit
from wqscore.fits.power_law import PowerLawFit, log_likelihood
from wqscore.fits.truncated_power_law import TruncatedPowerLawFit

#: A nested ratio below this, per point, counts as 0: a point's log-likelihood is accurate to about 1e-13.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class VuongRatio:
    """The power law against a family that does not contain it.

    Attributes:
        R: the log-likelihood ratio over its standard deviation, standard normal where both are equally far from the
            truth; above 0 the power law is likelier, below 0 the other.
        p: two-sided p-value of R.
    """

    R: float
    p: float


@dataclass(frozen=True)
class NestedRatio:
    """The power law against a family that contains it.

    Attributes:
        LR: twice the log-likelihood ratio, how much likelier the larger family is; never below 0.
        p: the probability of an LR this large where the power law is true.
    """

    LR: float
    p: float


def against_exponential(eigenvalues: np.ndarray, power_law: PowerLawFit, exponential: ExponentialFit) -> VuongRatio:
    """Return Vuong's ratio of the power law to the exponential with the same xmin.

    Args:
        eigenvalues: those that were fitted, ascending, shape (N,).
        power_law: the fit to their tail.
        exponential: `fit_exponential` from the power law's xmin on.

    Example:
        >>> from wqscore.fits.exponential import fit_exponential
        >>> from wqscore.fits.power_law import fit_power_law
        >>> quantiles = (np.arange(1000) + 0.5) / 1000
        >>> pareto = (1 - quantiles) ** (-1 / 2)
        >>> fit = fit_power_law(pareto)
        >>> ratio = against_exponential(pareto, fit, fit_exponential(pareto, 0.0, fit.xmin))
        >>> ratio.R > 2, ratio.p < 0.05
        (True, True)
    """
    tail = eigenvalues[eigenvalues >= power_law.xmin]
    total = log_likelihood(power_law, eigenvalues) - exponential.loglik
    return _vuong(total, exponential.Lambda * tail - power_law.alpha * np.log(tail / power_law.xmin))


def against_lognormal(eigenvalues: np.ndarray, power_law: PowerLawFit, lognormal: LognormalFit) -> VuongRatio:
    """Return Vuong's ratio of the power law to the lognormal with the same xmin.

    Arguments as for `against_exponential`, with `fit_lognormal`. The power law is a limit of the lognormal: a fit at
    that limit is the same law, and gives R = 0 and p = 1.
    """
    if lognormal.at_limit:
        return VuongRatio(0.0, 1.0)
    logs = np.log(eigenvalues[eigenvalues >= power_law.xmin] / power_law.xmin)
    steps = logs / lognormal.sigma
    depth = (math.log(lognormal.xmin) - lognormal.mu) / lognormal.sigma
    total = log_likelihood(power_law, eigenvalues) - lognormal.loglik
    return _vuong(total, steps * (depth + steps / 2) - (power_law.alpha - 1) * logs)


def against_truncated(
    eigenvalues: np.ndarray, power_law: PowerLawFit, truncated: TruncatedPowerLawFit
) -> NestedRatio:
    """Return the likelihood ratio of the truncated power law to the power law with the same xmin.

    Arguments as for `against_exponential`, with `fit_truncated_power_law(…, xmin=power_law.xmin)`. On a power law
    Lambda is at its lower bound 0 in half of large samples, where LR = 0 and p = 1; in the other half LR is χ² with
    one degree of freedom (Self & Liang 1987, case 5). That assumes a long tail and an alpha above 3, since below 3 λ
    has no variance: at alpha = 2, or with 50 in the tail, power laws get p < 0.1 up to twice as often.
    """
    LR = 2 * (truncated.loglik - log_likelihood(power_law, eigenvalues))
    if _ROUNDING * power_law.n_tail >= LR:
        return NestedRatio(0.0, 1.0)
    return NestedRatio(LR, math.erfc(math.sqrt(LR / 2)) / 2)


def _vuong(total: float, ratios: np.ndarray) -> VuongRatio:
    """Vuong's ratio from the total and from the log-density ratio at each point of the tail, up to a constant."""
    spread = float(np.std(ratios))
    if spread == 0:
        return VuongRatio(0.0, 1.0)
    R = total / (math.sqrt(ratios.size) * spread)
    return VuongRatio(R, math.erfc(abs(R) / math.sqrt(2)))

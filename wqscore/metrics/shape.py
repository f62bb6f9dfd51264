"""Shape metrics: the power law of the spectrum's tail."""

from __future__ import annotations

from collections.abc import Callable
from math import nan
from typing import Any

from wqscore.fits.power_law import PowerLawFit
from wqscore.metrics.metric import NO_CLAIM, MatrixMetric, ReadableRange

_CSN = "Clauset, Shalizi & Newman 2009, eq. 3.1 and section 3.3"
#: Where alpha of trained layers usually lies.
USUAL_ALPHA = ReadableRange(
    2.0,
    6.0,
    "overfitting or memorisation, not better training",
    "layers that are hardly trained, or tails that are no power laws",
    "Martin, Peng & Mahoney 2021; Martin & Hinrichs 2025; WeightWatcher's over-trained and under-trained",
)


def _core(
    name: str, formula: str, source: str, caveat: str, value: Callable[[PowerLawFit], float], **more: Any
) -> MatrixMetric:
    """A core metric of the power law."""
    return MatrixMetric(
        name, formula, source, caveat, lambda a: value(a.power_law) if a.power_law else nan, core=True, **more
    )


SHAPE_METRICS = (
    _core(
        "alpha",
        "1 + n / Σ ln(λ/xmin) over the tail λ ≥ xmin, xmin where the KS distance is smallest",
        f"{_CSN}; as a quality metric Martin & Mahoney, JMLR 22 (2021)",
        "comparable only within a family: wrong sign inside VGG, no correlation with MMLU across language models; "
        "a number comes out for pure noise too",
        lambda law: law.alpha,
        readable=USUAL_ALPHA,
    ),
    _core(
        "xmin",
        "the eigenvalue where the fitted tail begins",
        _CSN,
        NO_CLAIM,
        lambda law: law.xmin,
        unit="w²",
        summarised=False,
    ),
    _core(
        "D",
        "max over the tail of |1 − (λ/xmin)^(1−alpha) − k/n|, k the eigenvalues below λ in the tail",
        f"{_CSN}, as in plfit.m; as a quality metric Martin & Hinrichs, SETOL (2025)",
        "grows as the tail gets shorter; compare like sizes",
        lambda law: law.D,
    ),
    _core(
        "sigma",
        "(alpha − 1) / √n",
        "Clauset, Shalizi & Newman 2009, eq. 3.2",
        "takes xmin as known, so it understates the spread; no claim about quality",
        lambda law: law.sigma,
        summarised=False,
    ),
    _core(
        "n_tail",
        "n, the eigenvalues with λ ≥ xmin",
        _CSN,
        NO_CLAIM,
        lambda law: float(law.n_tail),
        unit="eigenvalues",
        better="higher",
        summarised=False,
    ),
    MatrixMetric(
        "xmin_scaled",
        "xmin / (Σλ/N)",
        _CSN,
        NO_CLAIM,
        lambda a: a.power_law.xmin / a.mean_eigenvalue if a.power_law else nan,
        summarised=False,
    ),
)

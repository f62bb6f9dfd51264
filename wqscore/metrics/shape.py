"""Shape metrics: the power law of the spectrum's tail, whatever the weights' scale."""

from __future__ import annotations

from math import nan

from wqscore.metrics.metric import MatrixMetric

_CSN = "Clauset, Shalizi & Newman 2009, eq. 3.1 and section 3.3"
_MM = "Martin & Mahoney, JMLR 22 (2021)"

SHAPE_METRICS = (
    MatrixMetric(
        "alpha",
        "1 + n / Σ ln(λ/xmin) over the tail λ ≥ xmin, xmin where the KS distance is smallest",
        "1",
        "lower",
        f"{_CSN}; as a quality metric {_MM}",
        "comparable only within a family: wrong sign inside VGG, no correlation with MMLU across language models; "
        "a number comes out for pure noise too",
        lambda a: a.power_law.alpha if a.power_law else nan,
        core=True,
    ),
    MatrixMetric(
        "xmin",
        "the eigenvalue where the fitted tail begins",
        "w²",
        "lower",
        _CSN,
        "no claim; an order by convention",
        lambda a: a.power_law.xmin if a.power_law else nan,
        core=True,
    ),
    MatrixMetric(
        "D",
        "max over the tail of |1 − (λ/xmin)^(1−alpha) − k/n|, k the eigenvalues below λ in the tail",
        "1",
        "lower",
        f"{_CSN}, as in plfit.m; as a quality metric Martin & Hinrichs, SETOL (2025)",
        "grows as the tail gets shorter; compare like sizes",
        lambda a: a.power_law.D if a.power_law else nan,
        core=True,
    ),
    MatrixMetric(
        "sigma",
        "(alpha − 1) / √n",
        "1",
        "lower",
        "Clauset, Shalizi & Newman 2009, eq. 3.2",
        "takes xmin as known, so it understates the spread; no claim about quality",
        lambda a: a.power_law.sigma if a.power_law else nan,
        core=True,
    ),
    MatrixMetric(
        "n_tail",
        "n, the eigenvalues with λ ≥ xmin",
        "eigenvalues",
        "higher",
        _CSN,
        "no claim; an order by convention",
        lambda a: float(a.power_law.n_tail) if a.power_law else nan,
        count=True,
        core=True,
    ),
    MatrixMetric(
        "xmin_scaled",
        "xmin / (Σλ/N)",
        "1",
        "lower",
        _CSN,
        "no claim; an order by convention",
        lambda a: a.power_law.xmin / a.mean_eigenvalue if a.power_law else nan,
    ),
)

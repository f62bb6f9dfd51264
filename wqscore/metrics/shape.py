"""Shape metrics: what the tail of the spectrum looks like, whatever the weights' scale."""

from __future__ import annotations

from math import nan

from wqscore.fits.power_law import PowerLawFit
from wqscore.metrics.metric import Metric
from wqscore.spectra.spectrum import Spectrum


def alpha(spectrum: Spectrum, fit: PowerLawFit | None) -> float:
    """Exponent of the fitted tail; NaN without a fit."""
    return fit.alpha if fit else nan


def xmin(spectrum: Spectrum, fit: PowerLawFit | None) -> float:
    """Where the fitted tail begins, an eigenvalue; NaN without a fit."""
    return fit.xmin if fit else nan


def ks_distance(spectrum: Spectrum, fit: PowerLawFit | None) -> float:
    """KS distance D between the tail and the fit; NaN without a fit."""
    return fit.D if fit else nan


def sigma(spectrum: Spectrum, fit: PowerLawFit | None) -> float:
    """Asymptotic standard error of alpha; NaN without a fit."""
    return fit.sigma if fit else nan


def n_tail(spectrum: Spectrum, fit: PowerLawFit | None) -> float:
    """Eigenvalues in the fitted tail; NaN without a fit."""
    return float(fit.n_tail) if fit else nan


_CSN = "Clauset, Shalizi & Newman 2009, eq. 3.1 and section 3.3"
_MM = "Martin & Mahoney, JMLR 22 (2021)"

SHAPE_METRICS = (
    Metric(
        "alpha",
        "1 + n / Σ ln(λ/xmin) over the tail λ ≥ xmin, xmin where the KS distance is smallest",
        "1",
        "lower",
        f"{_CSN}; as a quality metric {_MM}",
        "comparable only within a family: wrong sign inside VGG, no correlation with MMLU across language models; "
        "a number comes out for pure noise too",
        alpha,
    ),
    Metric(
        "xmin",
        "the eigenvalue where the fitted tail begins",
        "w²",
        "lower",
        _CSN,
        "no claim; an order by convention",
        xmin,
    ),
    Metric(
        "D",
        "max over the tail of |1 − (λ/xmin)^(1−alpha) − k/n|, k the eigenvalues below λ in the tail",
        "1",
        "lower",
        f"{_CSN}, as in plfit.m; as a quality metric Martin & Hinrichs, SETOL (2025)",
        "grows as the tail gets shorter; compare like sizes",
        ks_distance,
    ),
    Metric(
        "sigma",
        "(alpha − 1) / √n",
        "1",
        "lower",
        "Clauset, Shalizi & Newman 2009, eq. 3.2",
        "takes xmin as known, so it understates the spread; no claim about quality",
        sigma,
    ),
    Metric(
        "n_tail",
        "n, the eigenvalues with λ ≥ xmin",
        "eigenvalues",
        "higher",
        _CSN,
        "no claim; an order by convention",
        n_tail,
        count=True,
    ),
)

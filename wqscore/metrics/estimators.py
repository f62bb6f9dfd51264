"""Other estimators of alpha: Hill's, at the peak, without fingers, on square windows, and relative to shuffles."""

from __future__ import annotations

from math import nan
from statistics import fmean

from wqscore.fits.equal import merge_equal
from wqscore.fits.hill import hill_alpha
from wqscore.metrics.analysis import MatrixAnalysis
from wqscore.metrics.metric import NO_CLAIM, MatrixMetric
from wqscore.metrics.shape import USUAL_ALPHA


def alpha_hill(analysis: MatrixAnalysis) -> float:
    """Return Hill's estimator on the upper half of the spectrum."""
    return hill_alpha(analysis.eigenvalues, analysis.floor)


def alpha_farms(analysis: MatrixAnalysis) -> float:
    """Return Hill's estimator on the pooled eigenvalues of square windows; NaN where W's own are equal."""
    windows = analysis.windows if analysis.has_extent else None
    if windows is None or windows.state != "finite":
        return nan
    dtype = analysis.dtype
    eigenvalues = merge_equal(windows, windows.floor, dtype) if dtype else windows.eigenvalues
    return hill_alpha(eigenvalues, windows.floor)


def alpha_null(analysis: MatrixAnalysis) -> float:
    """Return the mean of Hill's estimator over the shuffles; NaN where it is undefined for one of them."""
    return fmean(
        hill_alpha(shuffle.eigenvalues, shuffle.floor) if shuffle.state == "finite" else nan
        for shuffle in analysis.shuffles.first()
    )


def alpha_excess(analysis: MatrixAnalysis) -> float:
    """Return alpha_hill − its mean over shuffles."""
    return alpha_hill(analysis) - alpha_null(analysis)


def alpha_ratio(analysis: MatrixAnalysis) -> float:
    """Return (alpha_hill − 1) / (its mean over shuffles − 1)."""
    return (alpha_hill(analysis) - 1) / (alpha_null(analysis) - 1)


_TEMPBALANCE = "Zhou et al., TempBalance, NeurIPS 2023 (PL_Alpha_Hill)"
_ASPECT = "grows with the aspect ratio: from 2.1 to 5.9 for pure noise of 1:1 to 16:1"
_NO_HALF = "fewer than 10 eigenvalues in the upper half, all of them equal up to rounding, or the middle one is noise"

ESTIMATOR_METRICS = (
    MatrixMetric(
        "alpha_hill",
        "1 + n / Σ ln(λ/λ_i) over λ ≥ λ_i, i = ⌊N/2⌋ counted from 0",
        _TEMPBALANCE,
        f"{_ASPECT}, so layers of different shapes can't be compared by it",
        alpha_hill,
        core=True,
        undefined=_NO_HALF,
    ),
    MatrixMetric(
        "alpha_peak",
        "alpha with xmin between 0.95 and 1.5 times the mode of the histogram of log λ (100 bins, left edge)",
        "Lu et al., AlphaPruning, NeurIPS 2024; Qing et al., AlphaLoRA, EMNLP 2024",
        "published values come from a window whose lower end is a logarithm by mistake (preset alphapruning); "
        "a plain schedule over depth beats it for pruning (ATP, ICML 2025)",
        lambda a: a.peak.alpha if a.peak else nan,
        undefined="no eigenvalue between 0.95 and 1.5 times the mode leaves a tail of 10",
    ),
    MatrixMetric(
        "alpha_farms",
        "alpha_hill of the pooled eigenvalues of r×r windows, r = min(2000, rows, columns), 10 positions a side",
        "Hu et al., FARMS, ICML 2025",
        "flat in the aspect ratio for noise and for a fixed heavy tail; no claim across models",
        alpha_farms,
        cost="windows",
        undefined=_NO_HALF,
    ),
    MatrixMetric(
        "alpha_clipped",
        "alpha after the largest eigenvalues, at most 10, are dropped while that lowers it by more than 1",
        "WeightWatcher fix_fingers, here in a form that does not depend on where it stops",
        "as for alpha, whose outliers it mends",
        lambda a: a.without_fingers.fit.alpha if a.without_fingers else nan,
        readable=USUAL_ALPHA,
    ),
    MatrixMetric(
        "num_fingers",
        "eigenvalues dropped for alpha_clipped",
        "WeightWatcher fix_fingers",
        NO_CLAIM,
        lambda a: float(a.without_fingers.num_fingers) if a.without_fingers else nan,
        unit="eigenvalues",
    ),
    MatrixMetric(
        "alpha_excess",
        "alpha_hill − its mean over shuffles of W",
        "the null that FARMS removes, removed by subtraction",
        "flat in the aspect ratio for noise only: a fixed heavy tail gives −0.2, −1.0 and −3.1 at 1:1, 4:1 and 16:1",
        alpha_excess,
        cost="shuffles",
        undefined=_NO_HALF,
    ),
    MatrixMetric(
        "alpha_ratio",
        "(alpha_hill − 1) / (its mean over shuffles of W − 1)",
        "as alpha_excess, by division",
        "1 for noise of any shape; untested as a quality metric",
        alpha_ratio,
        cost="shuffles",
        undefined=_NO_HALF,
    ),
)

"""Presets for published code other than WeightWatcher, each with its own alpha."""

from __future__ import annotations

from dataclasses import replace
from math import nan
from types import MappingProxyType

from wqscore.fits.methods import EVERY_POINT, KDD_2023
from wqscore.fits.peak import published_fit_at_peak
from wqscore.matrices.matrix_rules import MatrixRules
from wqscore.metrics.analysis import MatrixAnalysis
from wqscore.presets.preset import Preset
from wqscore.spectra.windows import published_window_spectrum


def _peak(analysis: MatrixAnalysis) -> float:
    fit = published_fit_at_peak(analysis.spectrum.eigenvalues)
    return fit.alpha if fit else nan


def _farms(analysis: MatrixAnalysis) -> float:
    """FARMS' alpha as in its code for language models, which has linear layers only: NaN for a convolution."""
    if analysis.spectrum.slices > 1:
        return nan
    windows = published_window_spectrum(analysis.weights[0], analysis.spectrum.unit_roundoff)
    fit = published_fit_at_peak(windows.eigenvalues)
    return fit.alpha if fit else nan


_NORMS = ("log_norm", "log_spectral_norm", "stable_rank")

TEMPBALANCE = Preset(
    "tempbalance",
    "TempBalance (NeurIPS 2023): Hill on the upper half without a floor, convolutions halved, from 50 eigenvalues",
    fit_floor=0.0,
    fits=EVERY_POINT,
    allows_for_rounding=False,
    matrices=MatrixRules(split_fused=False),
    eigenvalue_scale="convolutions halved",
    headline="mean",
    core=("alpha", "D", "alpha_hill", *_NORMS),
    by="alpha_hill",
    metrics=MappingProxyType({"alpha_peak": _peak}),
    columns=MappingProxyType({"alpha_hill": "PL_Alpha_Hill"}),
)

ALPHAPRUNING = Preset(
    "alphapruning",
    "AlphaPruning (NeurIPS 2024): the fit at the peak with the published window, its lower end a logarithm; no floor",
    fit_floor=0.0,
    fits=EVERY_POINT,
    allows_for_rounding=False,
    matrices=MatrixRules(split_fused=False, min_eigenvalues=2),
    headline="mean",
    core=("alpha", "D", "alpha_hill", "alpha_peak", *_NORMS),
    by="alpha_peak",
    metrics=MappingProxyType({"alpha_peak": _peak}),
    columns=MappingProxyType({"alpha_hill": "alpha_mid"}),
)

FARMS = replace(
    ALPHAPRUNING,
    name="farms",
    description="FARMS (ICML 2025) for language models: AlphaPruning's fit on windows at its own positions; no floor",
    core=("alpha", "D", "alpha_hill", "alpha_peak", "alpha_farms", *_NORMS),
    by="alpha_farms",
    metrics=MappingProxyType({"alpha_peak": _peak, "alpha_farms": _farms}),
)

KDD2023 = Preset(
    "kdd2023",
    "Yang et al. (KDD 2023): floor 1e-5, D to laws that end at λ_max, E-TPL's exponent at least 1, means over all",
    fit_floor=1e-5,
    fits=KDD_2023,
    allows_for_rounding=False,
    matrices=MatrixRules(split_fused=False, min_eigenvalues=2, average_all_roles=True),
    eigenvalue_scale="convolutions halved",
    headline="mean",
    core=("alpha", "D", *_NORMS, "e_tpl_beta", "e_tpl_lambda", "e_tpl_D", "exp_lambda"),
    columns=MappingProxyType(
        {
            "alpha": "PL_alpha",
            "D": "PL_KS_distance",
            "e_tpl_beta": "E_TPL_beta",
            "e_tpl_lambda": "E_TPL_lambda",
            "e_tpl_D": "E_TPL_KS_distance",
            "exp_lambda": "EXP_lambda",
        }
    ),
)

"""Presets for WeightWatcher 0.7, and for 0.2.7, which made the tables of Nature Communications 12:4122 (2021)."""

from __future__ import annotations

from dataclasses import replace
from math import nan
from types import MappingProxyType

from wqscore.fits.methods import EVERY_POINT, TO_LARGEST_BUT_SMALLEST
from wqscore.matrices.matrix_rules import MatrixRules
from wqscore.metrics import weightwatcher, weightwatcher_0_2_7
from wqscore.metrics.analysis import MatrixAnalysis
from wqscore.presets.preset import Preset
from wqscore.spectra.trace_log import weightwatcher_detx_num

#: Core metrics of both versions.
_OF_BOTH = (
    *("alpha", "xmin", "D", "sigma", "n_tail", "alpha_weighted", "log_alpha_norm", "log_norm", "log_spectral_norm"),
    *("lambda_max", "stable_rank"),
)


def _detx_num(analysis: MatrixAnalysis) -> float:
    return weightwatcher_detx_num(analysis.spectrum.eigenvalues)


def _erg_gap(analysis: MatrixAnalysis) -> float:
    return _detx_num(analysis) - analysis.power_law.n_tail if analysis.power_law else nan


WW_0_7 = Preset(
    "ww-0.7",
    "WeightWatcher 0.7 as published: floor 1e-5, every point a candidate, fused matrices whole, means over all",
    fit_floor=1e-5,
    fits=EVERY_POINT,
    allows_for_rounding=False,
    matrices=MatrixRules(split_fused=False, max_side=50_000, min_eigenvalues=8, average_all_roles=True),
    eigenvalue_scale="convolutions halved",
    exact_small_end=True,
    flipped_sign_in_averages=True,
    headline="mean",
    core=(*_OF_BOTH, "matrix_rank", "rank_loss", "entropy"),
    metrics=MappingProxyType(
        {
            "matrix_rank": lambda a: weightwatcher.matrix_rank(a.spectrum),
            "rank_loss": lambda a: weightwatcher.rank_loss(a.spectrum),
            "entropy": lambda a: weightwatcher.entropy(a.spectrum),
            "detX_num": _detx_num,
            "erg_gap": _erg_gap,
        }
    ),
    columns=MappingProxyType({"rows": "N", "columns": "M", "n_tail": "num_pl_spikes"}),
    larger_side_first=True,
)

WW_0_2_7 = replace(
    WW_0_7,
    name="ww-0.2.7",
    description="WeightWatcher 0.2.7: D to a law that ends at λ_max, no floor, eigenvalues halved, ‖W‖_F itself, "
    "means over all",
    fit_floor=0.0,
    fits=TO_LARGEST_BUT_SMALLEST,
    matrices=MatrixRules(split_fused=False, pool_slices=False, average_all_roles=True),
    eigenvalue_scale="half the kernel",
    core=_OF_BOTH,
    metrics=MappingProxyType(
        {
            "log_norm": lambda a: weightwatcher_0_2_7.log_norm(a.spectrum),
            "log_alpha_norm": lambda a: weightwatcher_0_2_7.log_alpha_norm(a.spectrum, a.power_law),
        }
    ),
    columns=MappingProxyType(
        {
            "rows": "N",
            "columns": "M",
            "log_norm": "lognorm",
            "log_alpha_norm": "logpnorm",
            "log_spectral_norm": "logspectralnorm",
            "lambda_max": "spectralnorm",
            "stable_rank": "softrank",
        }
    ),
)

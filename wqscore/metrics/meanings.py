"""What each metric means, in a line of plain words: for `wqscore metrics` and `wqscore explain`."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from types import MappingProxyType

_OF_VECTORS = {
    "vec_entropy": "how evenly the entries of the singular vectors are spread",
    "loc_ratio": "over how many entries the singular vectors extend",
    "part_ratio": "how many entries of the singular vectors take part",
}
_PLACES = {"bulk": "below the tail", "tail": "in the tail"}
_STATISTICS = {"mean": "mean", "var": "variance"}

#: By name, at most 85 characters: what a larger or smaller number says, without the formula.
MEANINGS: Mapping[str, str] = MappingProxyType(
    {
        "alpha": "how steeply the largest eigenvalues thin out; trained layers have 2 to 6",
        "xmin": "where the fitted tail of large eigenvalues begins",
        "D": "how far the eigenvalues are from the fitted power law; 0 is a perfect fit",
        "sigma": "standard error of alpha if the start of the tail were certain",
        "n_tail": "how many eigenvalues alpha is fitted to",
        "xmin_scaled": "where the tail begins, in units of the mean eigenvalue",
        "alpha_lo": "lower end of one matrix's alpha if its eigenvalues were resampled",
        "alpha_hi": "upper end of one matrix's alpha if its eigenvalues were resampled",
        "p_value": "how often a true power law fits as badly; below 0.1 the fit is doubtful",
        "alpha_least": "smallest alpha among fits nearly as good as the best one",
        "alpha_most": "largest alpha among fits nearly as good as the best one",
        "R_exponential": "above 0, a power law describes the tail better than an exponential",
        "p_exponential": "whether R_exponential is more than chance: small is yes",
        "R_lognormal": "above 0, a power law describes the tail better than a lognormal",
        "p_lognormal": "whether R_lognormal is more than chance: small is yes",
        "LR_tpl": "how much better a power law with a cut-off describes the tail",
        "p_tpl": "whether LR_tpl is more than chance: small is yes",
        "alpha_hill": "alpha over the upper half of the eigenvalues, without looking for the tail",
        "alpha_peak": "alpha with the tail beginning at the peak of the spectrum",
        "alpha_farms": "alpha_hill over square windows, so that a matrix's shape matters less",
        "alpha_clipped": "alpha without the few largest eigenvalues that distort it",
        "num_fingers": "how many large eigenvalues distort alpha",
        "alpha_excess": "how far alpha_hill is from that of the same entries shuffled",
        "alpha_ratio": "alpha_hill beside that of the same entries shuffled; 1 for noise",
        "alpha_weighted": "alpha times the size of the largest eigenvalue, on a log scale",
        "log_alpha_norm": "size of a matrix by a norm that alpha shapes, on a log scale",
        "log_norm": "size of a matrix: all its squared weights, on a log scale",
        "log_spectral_norm": "the largest stretch that a matrix gives an input, on a log scale",
        "lambda_max": "the largest eigenvalue: the largest stretch of an input, squared",
        "stable_rank": "how many directions carry most of a matrix",
        "matrix_rank": "how many directions are not lost in rounding",
        "rank_loss": "how many directions are lost in rounding",
        "entropy": "how evenly the directions share a matrix's size; 1 for all alike",
        "tpl_alpha": "the slope of a power law with a cut-off, fitted to the tail",
        "tpl_lambda": "how soon the cut-off of that power law sets in",
        "tpl_lambda_scaled": "tpl_lambda in units of the mean eigenvalue",
        "tpl_D": "how far the tail is from a power law with a cut-off",
        "e_tpl_beta": "the slope of a cut-off power law from the spectrum's peak on",
        "e_tpl_lambda": "how soon that law's cut-off sets in",
        "e_tpl_lambda_scaled": "e_tpl_lambda in units of the mean eigenvalue",
        "e_tpl_D": "how far the spectrum from its peak on is from that law",
        "exp_lambda": "how fast the eigenvalues from the peak on die out as an exponential",
        "exp_lambda_scaled": "exp_lambda in units of the mean eigenvalue",
        "exp_D": "how far the spectrum from its peak on is from an exponential",
        "lognormal_mu": "the centre of a lognormal fitted to the tail",
        "lognormal_sigma": "the width of a lognormal fitted to the tail",
        "lognormal_D": "how far the tail is from a lognormal",
        "mp_softrank": "how near the largest eigenvalue is to the edge of the noise; 1 for noise",
        "num_spikes": "how many eigenvalues stand out from the noise",
        "sigma_mp": "how large the entries that look like noise are",
        "bulk_max": "the edge up to which eigenvalues look like noise",
        "rand_distance": "how far a spectrum is from that of the same entries shuffled",
        "num_traps": "large eigenvalues that remain after shuffling: a few huge entries",
        "ww_softrank": "the largest eigenvalue after shuffling beside the one before; 1 for noise",
        "ww_maxdist": "how far the largest eigenvalue falls when the entries are shuffled",
        "detX_num": "how many eigenvalues the longest tail with a product of 1 or more has",
        "erg_gap": "how many more these are than alpha's tail has; 0 is claimed ideal",
        "fro_dist": "how far the weights moved from the base checkpoint in all",
        "spectral_dist": "how far they moved from the base along the most changed direction",
        "log_prod_spectral": "product of all matrices' largest stretches, on a log scale",
        "log_sum_spectral": "mean of all matrices' largest stretches times their number, log scale",
        "log_prod_fro": "product of all matrices' sizes, on a log scale",
        "log_sum_fro": "mean of all matrices' sizes times their number, log scale",
        "fro_over_spectral": "stable ranks of all matrices, summed",
        "param_norm": "all squared weights of the model's matrices, summed",
        "log_path_norm": "all paths through a chain of layers, squared and summed, on a log scale",
        **{
            f"{place}_{statistic}_{kind}": f"{word}, {where}: {meaning}"
            for (place, where), (statistic, word), (kind, meaning) in product(
                _PLACES.items(), _STATISTICS.items(), _OF_VECTORS.items()
            )
        },
    }
)

"""Metrics of the bulk, of the spectrum compared with shuffled weights, and of the trace-log condition."""

from __future__ import annotations

from functools import partial
from math import inf, nan

from wqscore.metrics.analysis import MatrixAnalysis
from wqscore.metrics.metric import NO_CLAIM, MatrixMetric, ReadableRange
from wqscore.spectra import randomness
from wqscore.spectra.trace_log import detx_num


def erg_gap(analysis: MatrixAnalysis) -> float:
    """Return detX_num − n_tail; NaN without a power law."""
    fit = analysis.power_law
    return detx_num(analysis.spectrum.eigenvalues, analysis.floor) - fit.n_tail if fit else nan


_MP = "Marchenko & Pastur (1967); edge's fluctuation: Johnstone, Annals of Statistics 29 (2001)"
_WW = "WeightWatcher 0.7.7"
_SETOL = "Martin & Hinrichs, SETOL (2025)"
_RANDOM_CAVEAT = "says best how far one model has moved from its start; no claim across models"
_RESCALED = "no claim; changes when weights are rescaled"

_bulk = partial(MatrixMetric, undefined="no bulk above the eigensolver's error", needs_fit=False)
_shuffled = partial(
    MatrixMetric, cost="shuffles", undefined="no shuffle has a bulk above the eigensolver's error", needs_fit=False
)

BULK_METRICS = (
    _bulk(
        "mp_softrank",
        "λ₊/λ_max, λ₊ = σ²(√M + √N)² the upper edge of the Marchenko–Pastur law fitted to the bulk",
        f"Martin & Mahoney, JMLR 22 (2021); {_MP}",
        "no correlation with accuracy over 98 published vision models that a norm does not have; above 1 for noise",
        lambda a: a.bulk.softrank,
    ),
    _bulk(
        "num_spikes",
        "eigenvalues beyond λ₊ + 3.27·w, w the Tracy–Widom width at the edge",
        _MP,
        NO_CLAIM,
        lambda a: a.bulk.num_spikes,
        unit="eigenvalues",
        better="higher",
    ),
    _bulk(
        "sigma_mp",
        "σ of the Marchenko–Pastur law, the standard deviation of the bulk's entries",
        _MP,
        _RESCALED,
        lambda a: a.bulk.sigma,
        unit="w",
    ),
    _bulk("bulk_max", "λ₊ = σ²(√M + √N)²", _MP, _RESCALED, lambda a: a.bulk.bulk_max, unit="w²"),
    _shuffled(
        "rand_distance",
        "√(½KL(p‖m) + ½KL(q‖m)), m = (p+q)/2, of the sorted eigenvalues of W and of shuffled W, each over its sum; "
        "mean over shuffles",
        f"{_WW}; {_SETOL}",
        _RANDOM_CAVEAT,
        lambda a: randomness.rand_distance(a.spectrum, a.shuffles.first()),
        better="higher",
    ),
    _shuffled(
        "num_traps",
        "spikes of shuffled W beyond its own Marchenko–Pastur edge, median over shuffles: correlation traps",
        _SETOL,
        "shown for small networks that memorise; reported, not shown to matter, for language models",
        lambda a: randomness.num_traps(a.shuffles.first()),
        unit="eigenvalues",
    ),
    _shuffled(
        "ww_softrank",
        "λ_max of shuffled W (mean over shuffles) / λ_max",
        _WW,
        _RANDOM_CAVEAT,
        lambda a: randomness.ww_softrank(a.spectrum, a.shuffles.first()),
    ),
    _shuffled(
        "ww_maxdist",
        "λ_max − λ_max of shuffled W (mean over shuffles)",
        _WW,
        "changes when weights are rescaled; no claim across models",
        lambda a: randomness.ww_maxdist(a.spectrum, a.shuffles.first()),
        unit="w²",
        better="higher",
    ),
    MatrixMetric(
        "detX_num",
        "eigenvalues of the largest tail with Σ ln λ ≥ 0, λ scaled so that Σλ = N",
        _SETOL,
        NO_CLAIM,
        lambda a: detx_num(a.spectrum.eigenvalues, a.floor),
        unit="eigenvalues",
        better="higher",
        undefined="no eigenvalue above 0",
        needs_fit=False,
    ),
    MatrixMetric(
        "erg_gap",
        "detX_num − n_tail",
        _SETOL,
        "0 is claimed to be ideal, at alpha = 2, not −∞; grows with the matrix",
        erg_gap,
        unit="eigenvalues",
        readable=ReadableRange(0.0, inf, "an over-regularised tail, as with alpha below 2", "", _SETOL),
    ),
)

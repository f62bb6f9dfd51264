"""Compare a spectrum with those of the same weights shuffled: how far apart are they, and is the matrix random?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import log, nan, sqrt
from statistics import fmean, median_low, stdev

import numpy as np

from wqscore.spectra.lanczos import LANCZOS_ERROR
from wqscore.spectra.marchenko_pastur import TRACY_WIDOM_999, bulk_edge, fit_marchenko_pastur
from wqscore.spectra.screening import Entries, correlated, measure, predict_traps
from wqscore.spectra.sequential import settle_reach, settle_sign
from wqscore.spectra.shuffling import Shuffles
from wqscore.spectra.spectrum import Spectrum, compute_spectrum

#: Largest numbers of shuffles that verdicts compute the spectrum of, and λ_max of.
VERDICT_SPECTRA = 12
_LARGEST = 99
_TRAP_DRAWS = 24
#: Shuffles whose whole spectrum says where the edge of their bulk is.
_EDGE_SPECTRA = 2

#: Shuffled spectra needed before the distances between them mean anything.
_MIN_SPECTRA = 3
#: Alike up to this many times the mean distance between shuffles: noise seldom exceeds 1.4 times it.
_ALIKE = 1.6
#: The least relative deviation of such a distance.
_LEAST_SPREAD = 0.1
#: How many deviations of the mean make an answer certain.
_CERTAIN = 3.5
#: Not random with λ_max this many times a shuffle's: shuffles range over a few per cent of λ_max, seldom a tenth.
_CLEARLY = 1.5
#: The mean of the Tracy–Widom law, its deviation, and its 99.9 % point above the mean in deviations.
_TW_MEAN, _TW_DEVIATION = -1.2065, 1.268
_WITHIN = (TRACY_WIDOM_999 - _TW_MEAN) / _TW_DEVIATION
_SCALING_ROUNDS = 3


def jensen_shannon_distance(eigenvalues: np.ndarray, others: np.ndarray) -> float:
    """Return √(½KL(p‖m) + ½KL(q‖m)) with m = (p + q)/2, natural log, between 0 and √ln 2.

    p and q are the two sorted eigenvalue vectors, each divided by its sum and compared rank by rank, as
    WeightWatcher does (`RMT_Util.jensen_shannon_distance`): it is not a distance between two densities.

    Args:
        eigenvalues: ascending, not all 0.
        others: the same number, ascending, not all 0.

    Example:
        >>> round(jensen_shannon_distance(np.array([0.0, 1.0]), np.array([1.0, 1.0])), 6)
        0.464501
    """
    p, q = (values / values[-1] for values in (eigenvalues, others))
    p, q = p / p.sum(), q / q.sum()
    divergence = (_relative_entropy(p, p + q) + _relative_entropy(q, p + q)) / 2
    return sqrt(max(divergence, 0.0))


def _relative_entropy(p: np.ndarray, both: np.ndarray) -> float:
    """Σ p ln(p/m) with m = both/2 and 0 ln 0 = 0."""
    positive = p > 0
    return float(np.sum(p[positive] * np.log(2 * p[positive] / both[positive])))


def rand_distance(spectrum: Spectrum, shuffles: Sequence[Spectrum]) -> float:
    """Return the mean Jensen–Shannon distance to the shuffles; NaN where a spectrum has no eigenvalues."""
    if not _all_finite(spectrum, shuffles):
        return nan
    return fmean(jensen_shannon_distance(spectrum.eigenvalues, other.eigenvalues) for other in shuffles)


def num_traps(shuffles: Sequence[Spectrum]) -> float:
    """Count correlation traps: spikes of the shuffled matrix beyond its own Marchenko–Pastur edge.

    The lower median over the shuffles: a trap counts when most of the shuffles show it. NaN where a shuffle has no
    bulk.

    Source: Martin & Hinrichs, SETOL (2025); WeightWatcher's `rand_num_spikes` is the count in one shuffle.
    """
    counts = [
        fit_marchenko_pastur(shuffle.eigenvalues, shuffle.rows, shuffle.columns, shuffle.slices).num_spikes
        for shuffle in shuffles
    ]
    return median_low(counts) if counts and not np.isnan(counts).any() else nan


def ww_softrank(spectrum: Spectrum, shuffles: Sequence[Spectrum]) -> float:
    """Return the shuffled matrix's λ_max, mean over shuffles, divided by λ_max; NaN without eigenvalues."""
    if not _all_finite(spectrum, shuffles):
        return nan
    return fmean(shuffle.largest / spectrum.largest for shuffle in shuffles)


def ww_maxdist(spectrum: Spectrum, shuffles: Sequence[Spectrum]) -> float:
    """Return λ_max minus the shuffled matrix's, mean over shuffles; NaN without eigenvalues."""
    if not _all_finite(spectrum, shuffles):
        return nan
    return fmean(spectrum.largest - shuffle.largest for shuffle in shuffles)


def is_random(spectrum: Spectrum, entries: Entries, shuffles: Shuffles) -> bool | None:
    """Whether a spectrum is indistinguishable from those of the same weights shuffled.

    It is when λ_max is at most the 99.9 % point of the shuffles' λ_max, and the mean distance to shuffles at most 1.6
    times the mean distance between two of them. A matrix of independent entries is one more shuffle of itself, and is
    missed with probability of about 1/1000.

    No shuffle is drawn for a matrix whose entries are `correlated`, as those of nearly every trained matrix are.
    Otherwise drawing stops once the answer is beyond doubt, for most noise after three or four shuffles.

    Args:
        spectrum: of W; not random when it has no eigenvalues.
        entries: of W, as `measure` returns them.
        shuffles: of W.

    Returns:
        `None` where the most shuffles that may be drawn leave it open.
    """
    if spectrum.state != "finite" or correlated(spectrum, entries):
        return False
    if shuffles[0].state != "finite" or spectrum.largest > _CLEARLY * shuffles[0].largest:
        return False
    alike = _is_alike(spectrum, shuffles)
    if alike is False:
        return False
    highest = log(spectrum.largest * (1 - LANCZOS_ERROR))
    draws = (log(shuffles.largest(k)) for k in range(_LARGEST))
    within = settle_reach(highest, draws, _WITHIN, _edge_deviation(spectrum.rows, spectrum.columns))
    return False if within is False else True if within and alike else None


def _is_alike(spectrum: Spectrum, shuffles: Shuffles) -> bool | None:
    """Whether the distance to shuffles is about that between two of them; `None` where twelve leave it open."""
    to_shuffles: list[float] = []
    between: list[float] = []
    for k in range(VERDICT_SPECTRA):
        shuffle = shuffles[k]
        to_shuffles.append(jensen_shannon_distance(spectrum.eigenvalues, shuffle.eigenvalues))
        between += [jensen_shannon_distance(shuffle.eigenvalues, other.eigenvalues) for other in shuffles.first(k)]
        if k + 1 < _MIN_SPECTRA:
            continue
        usual = fmean(between)
        if usual == 0 or fmean(to_shuffles) == 0:
            return fmean(to_shuffles) == 0
        spread = max(stdev(between) / usual, stdev(to_shuffles) / fmean(to_shuffles), _LEAST_SPREAD)
        ratio = log(fmean(to_shuffles) / (_ALIKE * usual))
        if abs(ratio) > _CERTAIN * spread * sqrt(2 / (k + 1)):
            return ratio < 0
    return None


def _edge_deviation(rows: int, columns: int) -> float:
    """The relative deviation of the largest eigenvalue of noise, which heavy tails only add to."""
    edge, width = bulk_edge(rows, columns)
    return _TW_DEVIATION * width / edge


def is_random_scaled(spectrum: Spectrum, entries: Entries, shuffles: Shuffles) -> bool | None:
    """Whether W is random (`is_random`) once the scales of its rows and columns are divided out.

    Call it only where W itself is not random: a random W stays so, apart from the test's misses.

    Args:
        spectrum: of W.
        entries: of W.
        shuffles: of W.
    """
    if spectrum.state != "finite" or correlated(spectrum, entries):
        return False
    even = without_scales(shuffles.weights)
    rescaled = compute_spectrum(even, spectrum.unit_roundoff)
    if rescaled.state != "finite":
        return False
    return is_random(rescaled, measure(even, rescaled), replace(shuffles, weights=even, spectra={}))


def has_traps(entries: Entries, shuffles: Shuffles) -> bool | None:
    """Whether shuffles usually have a spike, an eigenvalue beyond the Marchenko–Pastur edge of their own bulk.

    No shuffle is drawn where the largest entry and the mean decide it (`predict_traps`). Otherwise the first two say
    where the edge is, further ones only how far λ_max is from it, until the usual side is beyond doubt.

    Args:
        entries: of W.
        shuffles: of W.

    Returns:
        `None` where the most shuffles that may be drawn leave it open.
    """
    predicted = predict_traps(entries)
    if predicted is not None:
        return predicted
    edge, width = bulk_edge(entries.rows, entries.columns)
    fits = [
        fit_marchenko_pastur(shuffle.eigenvalues, shuffle.rows, shuffle.columns, shuffle.slices)
        for shuffle in shuffles.first(_EDGE_SPECTRA)
    ]
    limit = fmean(fit.bulk_max for fit in fits) * (1 + TRACY_WIDOM_999 * width / edge)
    if not limit > 0:
        return False
    beyond = (log(shuffles.largest(k) / limit) for k in range(_TRAP_DRAWS))
    return settle_sign(beyond, _edge_deviation(entries.rows, entries.columns))


def without_scales(weights: np.ndarray) -> np.ndarray:
    """Divide every row, then every column, by its root mean square over all slices, three times.

    One round leaves part of widely spread scales, three leave nothing; a row or column of zeros stays.

    Args:
        weights: shape (slices, rows, columns).

    Returns:
        float64, the same shape.
    """
    even = np.array(weights, dtype=np.float64)
    magnitude = np.abs(even).max(initial=0.0)
    if not 0 < magnitude < np.inf:
        return even
    even /= magnitude
    for _ in range(_SCALING_ROUNDS):
        for axes in ((0, 2), (0, 1)):
            scale = np.sqrt(np.mean(even**2, axis=axes, keepdims=True))
            even /= np.where(scale > 0, scale, 1.0)
    return even


def _all_finite(spectrum: Spectrum, shuffles: Sequence[Spectrum]) -> bool:
    return bool(shuffles) and all(each.state == "finite" for each in (spectrum, *shuffles))

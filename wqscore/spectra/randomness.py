"""Compare a spectrum with those of the same weights shuffled: how far apart are they, and is the matrix random?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import nan, sqrt
from statistics import fmean, median_low

import numpy as np

from wqscore.spectra.lanczos import LANCZOS_ERROR
from wqscore.spectra.marchenko_pastur import fit_marchenko_pastur
from wqscore.spectra.screening import Entries, correlated, measure, predict_traps
from wqscore.spectra.shuffling import SHUFFLES, Shuffles
from wqscore.spectra.spectrum import Spectrum, compute_spectrum

#: Largest numbers of shuffles that `is_random` computes the spectrum of, and λ_max of.
VERDICT_SPECTRA = 12
_LARGEST = 99

#: Shuffled spectra needed before their largest pairwise distance means anything.
_MIN_SPECTRA = 3
#: Not random beyond this many times the largest distance between shuffles: noise reaches 1.6 times it for three.
_FAR = 2.5
#: Not random with λ_max this many times a shuffle's: shuffles range over a few per cent of λ_max, seldom a tenth.
_CLEARLY = 1.5
#: Stop after this many shuffles if λ_max is above them by more than their range: noise is so once in several hundred.
_FIRST_SHUFFLES = 8
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


def is_random(spectrum: Spectrum, entries: Entries, shuffles: Shuffles) -> bool:
    """Whether a spectrum is indistinguishable from those of the same weights shuffled.

    It is when λ_max is at most the largest λ_max of 99 shuffles, and the mean distance to the shuffles is at most the
    largest distance between two of them. This is a permutation test: a matrix of independent entries is one more
    shuffle of itself, and so lies above all of them, and is missed, with probability 1/100.

    No shuffle is drawn for a matrix whose entries are `correlated`, as those of nearly every trained matrix are.
    Otherwise drawing stops once the answer is known, for most noise after three or four shuffles.

    Args:
        spectrum: of W; not random when it has no eigenvalues.
        entries: of W, as `measure` returns them.
        shuffles: of W.
    """
    if spectrum.state != "finite" or correlated(spectrum, entries):
        return False
    threshold = spectrum.largest * (1 - LANCZOS_ERROR)
    distances: list[float] = []
    between = 0.0
    for k in range(VERDICT_SPECTRA):
        shuffle = shuffles[k]
        if shuffle.state != "finite" or threshold > _CLEARLY * shuffles[0].largest:
            return False
        distances.append(jensen_shannon_distance(spectrum.eigenvalues, shuffle.eigenvalues))
        for other in shuffles.first(k):
            between = max(between, jensen_shannon_distance(shuffle.eigenvalues, other.eigenvalues))
        if k + 1 >= _MIN_SPECTRA:
            if fmean(distances) <= between:
                return _reached(threshold, (shuffles.largest(k) for k in range(_LARGEST)))
            if fmean(distances) > _FAR * between:
                return False
    return False


def _reached(threshold: float, draws: Iterable[float]) -> bool:
    """Whether a shuffle reaches λ_max; stops after the first few where none is likely to."""
    seen: list[float] = []
    for value in draws:
        if value >= threshold:
            return True
        seen.append(value)
        if len(seen) == _FIRST_SHUFFLES and threshold > 2 * max(seen) - min(seen):
            return False
    return False


def is_random_scaled(spectrum: Spectrum, entries: Entries, shuffles: Shuffles) -> bool:
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


def has_traps(entries: Entries, shuffles: Shuffles) -> bool:
    """Whether `num_traps` is above 0: more than half of the first six shuffles have a spike.

    No shuffle is drawn where the largest entry and the mean decide it (`predict_traps`); otherwise drawing stops once
    the majority is clear.

    Args:
        entries: of W.
        shuffles: of W.
    """
    predicted = predict_traps(entries)
    if predicted is not None:
        return predicted
    spiked = 0
    for k in range(SHUFFLES):
        shuffle = shuffles[k]
        fit = fit_marchenko_pastur(shuffle.eigenvalues, shuffle.rows, shuffle.columns, shuffle.slices)
        spiked += fit.num_spikes > 0
        if 2 * spiked > SHUFFLES or 2 * (k + 1 - spiked) >= SHUFFLES:
            break
    return 2 * spiked > SHUFFLES


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

"""How far a spectrum is from that of the same weights shuffled, and whether it can be told from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations, islice
from math import nan, sqrt
from statistics import fmean, median_low

import numpy as np

from wqscore.spectra.marchenko_pastur import fit_marchenko_pastur
from wqscore.spectra.shuffling import LANCZOS_ERROR, shuffled_largest, shuffled_spectra
from wqscore.spectra.spectrum import Spectrum, compute_spectrum

#: Spectra of shuffles that `is_random` is calibrated for.
VERDICT_SPECTRA = 12

#: Shuffles of one matrix range over a few per cent of λ_max, seldom over a tenth.
_CLEARLY = 1.5
#: λ_max beyond so many shuffles by more than their own range: noise does that once in several hundred.
_FIRST_LOOK = 8
_SCALING_ROUNDS = 3


def jensen_shannon_distance(eigenvalues: np.ndarray, others: np.ndarray) -> float:
    """√(½KL(p‖m) + ½KL(q‖m)) with m = (p + q)/2, natural log, between 0 and √ln 2.

    p and q are the two sorted eigenvalue vectors, each divided by its sum and compared rank by rank, as
    WeightWatcher does (`RMT_Util.jensen_shannon_distance`): it is not a distance between two densities.

    Args:
        eigenvalues: ascending, not all 0.
        others: as many, ascending, not all 0.

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
    """Mean Jensen–Shannon distance to the shuffles; NaN where a spectrum has no eigenvalues."""
    if not _all_finite(spectrum, shuffles):
        return nan
    return fmean(jensen_shannon_distance(spectrum.eigenvalues, other.eigenvalues) for other in shuffles)


def num_traps(shuffles: Sequence[Spectrum]) -> float:
    """Correlation traps: spikes of the shuffled matrix beyond its own Marchenko–Pastur edge.

    The median over the shuffles, the lower of two: a trap counts when most of the shuffles show it. NaN where a
    shuffle has no bulk.

    Source: Martin & Hinrichs, SETOL (2025); WeightWatcher's `rand_num_spikes` is that of one shuffle.
    """
    counts = [
        fit_marchenko_pastur(shuffle.eigenvalues, shuffle.rows, shuffle.columns, shuffle.slices).num_spikes
        for shuffle in shuffles
    ]
    return median_low(counts) if counts and not np.isnan(counts).any() else nan


def ww_softrank(spectrum: Spectrum, shuffles: Sequence[Spectrum]) -> float:
    """λ_max of the shuffled matrix, mean over shuffles, as a share of λ_max; NaN without eigenvalues."""
    if not _all_finite(spectrum, shuffles):
        return nan
    return fmean(shuffle.largest for shuffle in shuffles) / spectrum.largest


def ww_maxdist(spectrum: Spectrum, shuffles: Sequence[Spectrum]) -> float:
    """λ_max less that of the shuffled matrix, mean over shuffles; NaN without eigenvalues."""
    if not _all_finite(spectrum, shuffles):
        return nan
    return spectrum.largest - fmean(shuffle.largest for shuffle in shuffles)


def is_random(spectrum: Spectrum, largest: Iterable[float], shuffles: Iterable[Spectrum]) -> bool:
    """Whether a spectrum can't be told from those of the same weights shuffled.

    λ_max is at most the largest λ_max of the shuffles, and the mean distance to the shuffles is at most the largest
    distance between two of them. A permutation test: a matrix of independent entries is one more shuffle of
    itself, so with K values of λ_max it comes out above them all with probability 1/(K + 1), and is missed.

    Both arguments may be generators, and no more is drawn than is needed: one λ_max far below that of W rules
    most trained matrices out, and no spectrum of a shuffle is computed for them.

    Args:
        spectrum: of W; never random when it has no eigenvalues.
        largest: λ_max of shuffles, as `shuffled_largest` draws them.
        shuffles: spectra of shuffles, `VERDICT_SPECTRA` of them.
    """
    if spectrum.state != "finite":
        return False
    threshold = spectrum.largest * (1 - LANCZOS_ERROR)
    draws = iter(largest)
    reached = _reached_at_once(threshold, draws)
    if reached is False or not _as_close_as_shuffles(spectrum, tuple(shuffles)):
        return False
    return reached is True or any(value >= threshold for value in draws)


def _reached_at_once(threshold: float, draws: Iterator[float]) -> bool | None:
    """Whether one of the first shuffles reaches λ_max; `None` where more are needed to tell."""
    seen: list[float] = []
    for value in islice(draws, _FIRST_LOOK):
        if value >= threshold:
            return True
        seen.append(value)
        if threshold > _CLEARLY * seen[0]:
            return False
    return False if seen and threshold > 2 * max(seen) - min(seen) else None


def _as_close_as_shuffles(spectrum: Spectrum, shuffles: Sequence[Spectrum]) -> bool:
    if not _all_finite(spectrum, shuffles):
        return False
    between = (jensen_shannon_distance(a.eigenvalues, b.eigenvalues) for a, b in combinations(shuffles, 2))
    return rand_distance(spectrum, shuffles) <= max(between, default=0.0)


def is_random_scaled(weights: np.ndarray, unit_roundoff: float, seed: int, name: str) -> bool:
    """`is_random` of what is left when the scales of rows and columns are divided out.

    Args:
        weights: shape (slices, rows, columns).
        unit_roundoff: u of the data type the weights are stored in.
        seed: the run's seed.
        name: the matrix's name.
    """
    even = without_scales(weights)
    return is_random(
        compute_spectrum(even, unit_roundoff),
        shuffled_largest(even, seed, name),
        shuffled_spectra(even, unit_roundoff, seed, name, VERDICT_SPECTRA),
    )


def without_scales(weights: np.ndarray) -> np.ndarray:
    """Divide every row, then every column, by its root mean square over all slices, three times over.

    One round leaves part of widely spread scales behind, three leave nothing; a row or column of zeros stays.

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

"""Compare a spectrum with those of the same weights shuffled: how far apart are they, and is the matrix random?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log, nan
from statistics import fmean, median_low

import numpy as np

from wqscore.spectra.jensen_shannon import jensen_shannon_distance
from wqscore.spectra.likeness import by_shuffle, by_theory
from wqscore.spectra.marchenko_pastur import TRACY_WIDOM_999, bulk_edge, fit_marchenko_pastur
from wqscore.spectra.screening import Entries, correlated, expect_spike, measure, predict_traps
from wqscore.spectra.shuffling import Shuffles
from wqscore.spectra.spectrum import Spectrum, compute_spectrum

#: How many deviations from its limit the largest eigenvalue of one shuffle says which side most shuffles are on.
_CERTAIN = 2.5
#: As many spikes of one shuffle say that most have one: the first number of a single slice.
_SEVERAL, _SEVERAL_OF_SLICES = 2, 3
_TW_DEVIATION = 1.268
_SCALING_ROUNDS = 3
#: Entries scaled at a time: few enough to stay in the CPU cache.
_BLOCK_ENTRIES = 1 << 15
_ANSWERS: Mapping[str, bool] = {"alike": True, "unlike": False}


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

    No shuffle is drawn where theory says where the eigenvalues of shuffles lie (`by_theory`); otherwise one is.

    Args:
        spectrum: of W; not random when it has no eigenvalues.
        entries: of W, as `measure` returns them.
        shuffles: of W.

    Returns:
        `None` where that leaves it open.
    """
    if spectrum.state != "finite":
        return False
    finding = by_theory(spectrum, entries, shuffles.weights)
    if finding == "unknown":
        of_slices = shuffles.of_slices(0) if shuffles.has_small_slices else None
        finding = by_shuffle(spectrum, entries, shuffles[0], of_slices)
    return _ANSWERS.get(finding)


def is_random_scaled(spectrum: Spectrum, entries: Entries, weights: np.ndarray) -> bool | None:
    """Whether W is random (`is_random`) once the scales of its rows and columns are divided out.

    Call it only where W itself is not random: a random W stays so, apart from the test's misses. It takes one
    eigensolve, for which there is room only where no shuffle was drawn for W itself.

    Args:
        spectrum: of W.
        entries: of W.
        weights: W, shape (slices, rows, columns).

    Returns:
        `None` where that leaves it open.
    """
    if spectrum.state != "finite":
        return False
    if correlated(spectrum, entries):
        return False
    if by_theory(spectrum, entries, weights) == "unknown" or predict_traps(entries) is None:
        return None
    even = without_scales(weights)
    rescaled = compute_spectrum(even, spectrum.unit_roundoff)
    if rescaled.state != "finite":
        return False
    return _ANSWERS.get(by_theory(rescaled, measure(even, rescaled), even))


def has_traps(entries: Entries, shuffles: Shuffles) -> bool | None:
    """Whether shuffles usually have a spike, an eigenvalue beyond the Marchenko–Pastur edge of their own bulk.

    No shuffle is drawn where the largest entry and the mean decide it (`predict_traps`); otherwise one is.

    Args:
        entries: of W.
        shuffles: of W.

    Returns:
        `None` where that leaves it open.
    """
    predicted = predict_traps(entries)
    if predicted is not None:
        return predicted
    shuffle = shuffles[0]
    fit = fit_marchenko_pastur(shuffle.eigenvalues, shuffle.rows, shuffle.columns, shuffle.slices)
    edge, width = bulk_edge(entries.rows, entries.columns)
    limit = fit.bulk_max * (1 + TRACY_WIDOM_999 * width / edge)
    if not limit > 0 or fit.num_spikes >= (_SEVERAL if entries.slices == 1 else _SEVERAL_OF_SLICES):
        return limit > 0
    spike = expect_spike(entries)
    deviation = _TW_DEVIATION * width / edge
    if entries.slices > 1 or spike.place + spike.shift > edge + TRACY_WIDOM_999 * width:
        deviation = max(deviation, spike.deviation / spike.place)  # what varies is the spike, not the edge
    height = log(shuffle.largest / limit) / deviation
    return None if abs(height) < _CERTAIN else height > 0


def without_scales(weights: np.ndarray) -> np.ndarray:
    """Divide every row, then every column, by its root mean square over all slices, three times.

    One round leaves part of widely spread scales, three leave nothing; a row or column of zeros stays.

    Args:
        weights: shape (slices, rows, columns).

    Returns:
        float64, the same shape.
    """
    magnitude = 0.0
    for block in _blocks(weights):
        part = weights[block].astype(np.float64)
        magnitude = np.maximum(magnitude, np.maximum(part.max(), -part.min()))  # NaN stays
    if not 0 < magnitude < np.inf:
        return np.array(weights, dtype=np.float64)
    squares = np.zeros(weights.shape[1:])
    for block in _blocks(weights):
        part = weights[block].astype(np.float64)
        part /= magnitude
        squares[block[1]] += np.square(part, out=part)
    squares /= len(weights)
    rows, columns = np.ones(weights.shape[1]), np.ones(weights.shape[2])  # factors of squares
    for _ in range(_SCALING_ROUNDS):
        rows = _brought_to_one(rows, squares @ columns / len(columns))
        columns = _brought_to_one(columns, rows @ squares / len(rows))
    rows, columns = np.sqrt(rows)[:, None], np.sqrt(columns)
    # Of a single slice the squares are not needed any more, and their memory is.
    even = squares[None] if len(weights) == 1 else np.empty(weights.shape)
    for block in _blocks(weights):
        part = weights[block].astype(np.float64)
        part /= magnitude
        part *= rows[block[1]]
        np.multiply(part, columns, out=even[block])
    return even


def _blocks(weights: np.ndarray) -> list[tuple[int, slice]]:
    """Some rows of a slice at a time."""
    slices, rows, columns = weights.shape
    step = max(1, _BLOCK_ENTRIES // max(columns, 1))
    return [(k, slice(start, start + step)) for k in range(slices) for start in range(0, rows, step)]


def _brought_to_one(factors: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Factors that make mean squares 1, given those means without them; of lines of zeros they stay as they are."""
    return np.where(means > 0, 1 / np.where(means > 0, means, 1.0), factors)


def _all_finite(spectrum: Spectrum, shuffles: Sequence[Spectrum]) -> bool:
    return bool(shuffles) and all(each.state == "finite" for each in (spectrum, *shuffles))

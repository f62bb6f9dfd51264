"""Is a matrix like its own shuffles? First what theory knows of their spectra, then a single shuffle."""

from __future__ import annotations

from math import log, sqrt
from typing import Literal

import numpy as np

from wqscore.spectra.jensen_shannon import jensen_shannon_distance
from wqscore.spectra.marchenko_pastur import TRACY_WIDOM_999, bulk_edge
from wqscore.spectra.noise import expected_distance, expected_eigenvalues, reach
from wqscore.spectra.screening import Entries, corners, correlated, expect_spike, second_moment, uneven_magnitudes
from wqscore.spectra.spectrum import Spectrum

#: What theory says: alike, not alike, too close to call, or nothing: a shuffle has to be drawn.
Finding = Literal["alike", "unlike", "open", "unknown"]

#: Alike with a distance to shuffles of up to 1.6 times that between two of them. Squared and in units of the expected
#: square of a shuffle from their mean, that is 1.6²·2 − 1.
_LIMIT = 1.6**2 * 2 - 1
#: Up to this share of the limit a distance is below it for sure, and from that one on above it.
_BELOW, _ABOVE = 0.85, 1.2
#: Noise of up to this κ²/N (times slices) lies where theory expects it, up to half of a shuffle's distance.
_TAME = 1.0
#: Below this side the law of the entries shows in the spectrum.
_MIN_SIDE = 16
#: A mean of this strength moves eigenvalues.
_STRONG_MEAN = 0.3
#: Independent entries stay within so many standard deviations, however heavy their tails.
_UNEVEN = 5.5
#: What κ²/N adds to a shuffle's distance, at most: measured on Student's law with 3 degrees of freedom.
_OF_TAILS = 0.7
#: How many Tracy–Widom widths the predicted limit of the largest eigenvalue may be off.
_OFF = 0.6
#: A spike's deviations that shuffles stay within, once in 1,000 not.
_WITHIN = 3.5
_TW_DEVIATION = 1.268
#: Groups of slices that say how far apart two shuffles of as many slices are.
_GROUPS = 8


def by_theory(spectrum: Spectrum, entries: Entries, weights: np.ndarray) -> Finding:
    """Compare a spectrum with what theory expects of W's shuffles.

    Args:
        spectrum: of W, with eigenvalues.
        entries: of W.
        weights: W, shape (slices, rows, columns).
    """
    if correlated(spectrum, entries):
        return "unlike"
    if min(entries.rows, entries.columns) < _MIN_SIDE or _strength_of_mean(entries) > _STRONG_MEAN:
        return "unknown"
    edge = _edge(spectrum, entries)
    return edge if edge == "unlike" else _weakest(_bulk(spectrum, entries, weights), edge)


def by_shuffle(spectrum: Spectrum, entries: Entries, shuffle: Spectrum, of_slices: np.ndarray | None) -> Finding:
    """Compare a spectrum with that of one shuffle.

    Args:
        spectrum: of W, with eigenvalues.
        entries: of W.
        shuffle: of shuffled W.
        of_slices: the shuffle's eigenvalues, those of each slice ascending; `None` where there are too few slices.
    """
    if shuffle.state != "finite":
        return "unlike"
    spike = expect_spike(entries)
    _, width = bulk_edge(entries.rows, entries.columns)
    largest = shuffle.largest / shuffle.total * entries.count / spike.rest
    deviation = max(spike.deviation, _TW_DEVIATION * width) * max(1.0, largest / spike.place) / largest
    height = log(spectrum.largest / shuffle.largest) / deviation
    top: Finding = "alike" if height < _WITHIN / 2 else "open" if height < 2 * _WITHIN else "unlike"
    least = 2 * expected_distance(entries.rows, entries.columns, entries.slices, 0.0)
    most = 2 * _most_expected(entries)
    if of_slices is not None:
        least = most = _between_groups(of_slices)
    squared = jensen_shannon_distance(spectrum.eigenvalues, shuffle.eigenvalues) ** 2
    limit = (_LIMIT + 1) / 2
    near = squared <= limit * _BELOW * least
    bulk: Finding = "alike" if near else "unlike" if squared > limit * _ABOVE * most else "open"
    return _weakest(bulk, top)


def _between_groups(of_slices: np.ndarray) -> float:
    """The mean squared distance between two shuffles, from the groups of a shuffle's slices: each has fewer."""
    per_group = len(of_slices) // _GROUPS
    groups = [np.sort(of_slices[k : k + per_group], axis=None) for k in range(0, _GROUPS * per_group, per_group)]
    pairs = [
        jensen_shannon_distance(one, other) ** 2 if one[-1] > 0 < other[-1] else 0.0
        for k, one in enumerate(groups)
        for other in groups[:k]
    ]
    return float(np.mean(pairs)) * per_group / len(of_slices)


def _strength_of_mean(entries: Entries) -> float:
    return entries.mean * sqrt(entries.rows * entries.columns)


def _bulk(spectrum: Spectrum, entries: Entries, weights: np.ndarray) -> Finding:
    """Whether the eigenvalues lie where those of independent entries are expected."""
    rows, columns, slices, kurtosis = entries.rows, entries.columns, entries.slices, entries.kurtosis
    small = min(rows, columns)
    expected = expected_eigenvalues(rows, columns, slices, min(kurtosis, small / 4))
    squared = jensen_shannon_distance(spectrum.eigenvalues, expected) ** 2
    limit = _LIMIT * expected_distance(rows, columns, slices, 0.0)
    if squared <= _BELOW * limit:  # the distance of shuffles with heavier tails is larger
        return "alike"
    if slices * kurtosis**2 <= _TAME * small and 16 * slices <= small**2 and expect_spike(entries).strength <= 1:
        return "unlike" if squared > _ABOVE * limit else "open"
    return _moments(spectrum, entries, weights)


def _moments(spectrum: Spectrum, entries: Entries, weights: np.ndarray) -> Finding:
    """The same where heavy tails leave the places unknown: no line, no slice and no pair of lines may stand out."""
    lines = (entries.uneven_rows, entries.uneven_columns, entries.uneven_slices)
    is_even = max(map(abs, (corners(spectrum, entries), *lines))) <= _UNEVEN
    if is_even and uneven_magnitudes(weights) <= _UNEVEN:
        return "alike"
    # The second moment alone makes this much of the squared distance.
    least = second_moment(spectrum, entries) ** 2 / (8 * entries.count)
    return "unlike" if least > _ABOVE * _LIMIT * _most_expected(entries) else "unknown"


def _most_expected(entries: Entries) -> float:
    """The mean squared distance of shuffles from their mean, at most: heavy tails add to it."""
    rows, columns, slices = entries.rows, entries.columns, entries.slices
    tails = max(entries.kurtosis, 0.0) ** 2 / min(rows, columns)
    return expected_distance(rows, columns, slices, entries.kurtosis) * (1 + _OF_TAILS * tails)


def _edge(spectrum: Spectrum, entries: Entries) -> Finding:
    """Whether the largest eigenvalue is one that a shuffle has at least once in 1,000 draws."""
    spike = expect_spike(entries)
    edge, width = bulk_edge(entries.rows, entries.columns)
    largest = spectrum.largest / spectrum.total * entries.count / spike.rest
    of_edge = edge + max(spike.shift, 0.0) + reach(entries.slices) * width
    of_spike = spike.place + _WITHIN * spike.deviation if spike.strength > 1 else 0.0
    limit = max(of_edge, of_spike)
    if largest <= limit:
        return "alike"
    # Of a larger shift only the first order is known.
    unsure = _OFF * width + spike.shift**2 / edge + (spike.deviation if spike.strength > 1 else 0.0)
    if largest <= limit + unsure:
        return "open"
    return "unlike" if spike.shift < TRACY_WIDOM_999 * width or largest > 2 * limit else "unknown"


def _weakest(*findings: Finding) -> Finding:
    order: tuple[Finding, ...] = ("unlike", "unknown", "open", "alike")
    return next(each for each in order if each in findings)

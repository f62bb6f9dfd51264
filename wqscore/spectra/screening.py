"""Predict properties of a matrix's shuffles without shuffling, from one pass over its entries and from Σλ²."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np

from wqscore.spectra.jit import compiled_sums
from wqscore.spectra.marchenko_pastur import TRACY_WIDOM_999, bulk_edge
from wqscore.spectra.spectrum import Spectrum

#: Entries converted to float64 at a time: few enough to stay in the CPU cache.
_BLOCK_ENTRIES = 1 << 17

#: A correlation above this many standard deviations of noise counts. Independent entries of mean 0 stay below 5,
#: whatever their scales and tails; shuffles miss weak correlations of up to 8.5.
_CORRELATED = 10.0
#: The most that the mean of all entries may add to the correlation, in the same unit, without being allowed for.
_FROM_MEAN = 1.0

#: How far, in Tracy–Widom widths, heavy tails or a large entry may move the edge without a spike in most shuffles;
#: the same for the largest edge of several slices; and how far heavy tails move it where most shuffles have one.
#: Spikes lie 3.27 widths beyond the edge, the largest eigenvalue of noise on average 1.2 within it.
_SLIGHT_SHIFT, _SLIGHT_OF_SLICES, _LARGE_SHIFT = 2.0, 1.2, 7.0
#: No heavy tails beside a large entry.
_NO_SHIFT = 0.5
#: A spike expected this many standard deviations beyond the edge is there in most shuffles.
_CERTAIN_SPIKE = 1.5
#: Below this side, or with a smaller share of Σw² outside the largest entry or the mean, the predictions are rough.
_MIN_SIDE = 16
_MIN_REST = 1e-6
#: With more zeros than that, the bulk may be too empty to have an edge.
_MOST_ZEROS, _NEARLY_EMPTY = 0.5, 0.95
#: Below this relative variance all w² are equal but for rounding.
_EQUAL_SQUARES = 1e-9
#: The same for |w|, added up in float32.
_EQUAL_MAGNITUDES = 1e-4


@dataclass(frozen=True)
class Entries:
    """Sums over a matrix's entries, each divided by a power of Σw² so that it has no unit.

    Attributes:
        rows: rows of W (of one slice).
        columns: columns of W (of one slice).
        slices: 1 except for a convolution.
        largest: max w²/Σw².
        zeros: the share of entries that are 0.
        mean: (Σw)²/Σw² over the number of entries: the mean's square as a share of the mean square.
        fourth: Σw⁴/(Σw²)².
        lines: Σ (Σw² over a row or a column of a slice)²/(Σw²)².
        uneven_rows: how unevenly Σw² is spread over rows, in standard deviations of the same over shuffles.
        uneven_columns: the same for columns.
        uneven_slices: the same for slices.
        corners_deviation: see `correlation`.
        corners_of_mean: see `correlated`.
    """

    rows: int
    columns: int
    slices: int
    largest: float
    zeros: float
    mean: float
    fourth: float
    lines: float
    uneven_rows: float
    uneven_columns: float
    uneven_slices: float
    corners_deviation: float
    corners_of_mean: float

    @property
    def count(self) -> int:
        """Entries of all slices."""
        return self.rows * self.columns * self.slices

    @property
    def kurtosis(self) -> float:
        """The excess kurtosis of the entries, as of a law of mean 0."""
        return self.fourth * self.count - 3


def measure(weights: np.ndarray, spectrum: Spectrum) -> Entries:
    """Compute the sums over a matrix's entries in float64, a block at a time.

    Args:
        weights: shape (slices, rows, columns).
        spectrum: of W, whose `state` is `finite`.
    """
    slices, rows, columns = weights.shape
    unit = sqrt(spectrum.total) / sqrt(weights.size)  # so that no fourth power overflows
    step = max(1, _BLOCK_ENTRIES // columns)
    total = fourth = largest = zeros = 0.0
    of_rows, of_columns = np.empty((slices, rows)), np.zeros((slices, columns))
    for k in range(slices):
        for start in range(0, rows, step):
            part = weights[k, start : start + step]
            block = np.array(part, dtype=np.float64, order="C")
            sums = _sums(block, 1 / unit, of_rows[k, start : start + step], of_columns[k])
            total, fourth, zeros = total + sums[0], fourth + sums[1], zeros + sums[2]
            ranged = part if part.dtype == np.float32 else block  # half the bytes of what is the same
            largest = max(largest, float(ranged.max()), -float(ranged.min()))
    energies = of_rows.sum(axis=1)
    energy = float(energies.sum())
    row_lines, column_lines = (of_rows**2).sum(axis=1), (of_columns**2).sum(axis=1)
    corners = row_lines * column_lines / np.where(energies > 0, energies, 1.0) ** 2
    fourth /= energy**2
    lines = tuple(float(each.sum()) / energy**2 for each in (row_lines, column_lines, energies**2))
    uneven = [
        _unevenness(found, fourth, weights.size, length)
        for found, length in zip(lines, (columns, rows, rows * columns), strict=True)
    ]
    roots = sum(float(np.sqrt(r).sum() * np.sqrt(c).sum()) for r, c in zip(of_rows, of_columns, strict=True))
    return Entries(
        rows,
        columns,
        slices,
        largest=(largest / unit) ** 2 / energy,
        zeros=zeros / weights.size,
        mean=total**2 / energy / weights.size,
        fourth=fourth,
        lines=lines[0] + lines[1],
        uneven_rows=uneven[0],
        uneven_columns=uneven[1],
        uneven_slices=uneven[2],
        corners_deviation=2 * float(np.linalg.norm(corners)) / energy**2,
        corners_of_mean=(total**2 * energy / roots**2) ** 2 / slices,
    )


def _unevenness(lines: float, fourth: float, count: int, length: int) -> float:
    """Compare Σ (Σw² over a line)²/(Σw²)² with its mean over shuffles, in its standard deviations.

    Each of the count·(length − 1) ordered pairs of entries of a line adds the product of their squares. About the
    mean square the products are uncorrelated, and shuffling keeps Σw² and Σw⁴.
    """
    variance = fourth / count - 1 / count**2  # of w²
    if length in (1, count) or variance * count**2 < _EQUAL_SQUARES:
        return 0.0
    return (lines - _expected_lines(fourth, count, length)) / (variance * sqrt(2 * count * (length - 1)))


def _expected_lines(fourth: float, count: int, length: int) -> float:
    return fourth + (length - 1) * (1 - fourth) / max(count - 1, 1)


def uneven_magnitudes(weights: np.ndarray) -> float:
    """Return how unevenly Σ|w| is spread over rows, columns and slices, in standard deviations over shuffles.

    Unlike Σw², it is hardly moved by single large entries: it shows the scales of lines however heavy the tails.

    Args:
        weights: shape (slices, rows, columns).

    Returns:
        The largest of the three, without sign.
    """
    magnitudes = np.abs(weights.astype(np.result_type(weights.dtype, np.float32), copy=False))
    of_rows = magnitudes.sum(axis=2, dtype=np.float64)
    mean = of_rows.sum() / weights.size
    flat = magnitudes.reshape(-1)
    variance = float(np.dot(flat, flat)) / weights.size - mean**2
    if variance < _EQUAL_MAGNITUDES * mean**2:
        return 0.0
    found = [0.0]
    for sums in (of_rows, magnitudes.sum(axis=1, dtype=np.float64), of_rows.sum(axis=1)):
        length = weights.size // sums.size
        if 1 < length < weights.size:
            excess = float(((sums - mean * length) ** 2).sum()) - weights.size * variance
            found.append(abs(excess) / (variance * sqrt(2 * weights.size * (length - 1))))
    return max(found)


@compiled_sums
def _sums(
    block: np.ndarray, factor: float, of_rows: np.ndarray, of_columns: np.ndarray
) -> tuple[float, float, float]:
    """Return Σw, Σw⁴ and the number of zeros of a block times a factor; set each row's Σw², add to each column's."""
    total = fourth = zeros = 0.0
    for i in range(block.shape[0]):
        row = 0.0
        for j in range(block.shape[1]):
            entry = block[i, j] * factor
            square = entry * entry
            total += entry
            row += square
            fourth += square * square
            zeros += entry == 0
            of_columns[j] += square
        of_rows[i] = row
    return total, fourth, zeros


def correlation(spectrum: Spectrum, entries: Entries) -> float:
    """Return the correlation between W's entries, in standard deviations of the same for noise.

    Σλ² is the sum of w_ij·w_il·w_kj·w_kl over all rows i, k and columns j, l of a slice. The terms with i = k or
    j = l depend on the scales of rows and columns alone. Each of the others multiplies four different entries, the
    corners of a rectangle. Where entries are independent and of mean 0, whatever their scales r_i·c_j and however
    heavy their tails, these terms have mean 0 and are uncorrelated, so that their sum has the variance 4(Σr⁴)²(Σc⁴)².

    Args:
        spectrum: of W, in any unit.
        entries: of W.

    Example:
        >>> from wqscore.spectra.spectrum import compute_spectrum
        >>> noise = np.random.default_rng(0).standard_normal((1, 300, 200))
        >>> scaled, bent = noise * np.arange(1, 201), noise + np.outer(np.arange(300) % 3 - 1, np.ones(200)) / 2
        >>> [round(correlation(s, measure(w, s))) for w in (noise, scaled, bent) for s in [compute_spectrum(w, 0.0)]]
        [-1, -1, 611]
    """
    shares = spectrum.eigenvalues / spectrum.total
    return (float(shares @ shares) - entries.lines + entries.fourth) / entries.corners_deviation


def second_moment(spectrum: Spectrum, entries: Entries) -> float:
    """Return how far Σλ² is from its mean over shuffles, in standard deviations of what light tails add to it.

    Those are of the corners of rectangles (`correlation`), whose mean is 0 if that of all entries is.

    Args:
        spectrum: of W, in any unit.
        entries: of W.
    """
    shares = spectrum.eigenvalues / spectrum.total
    of_lines = (_expected_lines(entries.fourth, entries.count, each) for each in (entries.rows, entries.columns))
    return (float(shares @ shares) - sum(of_lines) + entries.fourth) / _of_corners(entries)


def corners(spectrum: Spectrum, entries: Entries) -> float:
    """Return the correlation between W's entries in the same standard deviations, those over shuffles."""
    return correlation(spectrum, entries) * entries.corners_deviation / _of_corners(entries)


def _of_corners(entries: Entries) -> float:
    rows, columns = entries.rows, entries.columns
    return 2 * sqrt(entries.slices * rows * max(rows - 1, 1) * columns * max(columns - 1, 1)) / entries.count**2


def correlated(spectrum: Spectrum, entries: Entries) -> bool:
    """Whether W has a correlation that no shuffle has, with or without the scales of rows and columns.

    The mean of all entries adds to the correlation of W and of every shuffle alike. Where that is more than noise
    adds, W has to exceed twice that.
    """
    found = correlation(spectrum, entries)
    of_mean = entries.corners_of_mean / entries.corners_deviation
    if of_mean > _FROM_MEAN:
        return found > 2 * of_mean + _CORRELATED * (1 + 2 * sqrt(of_mean))
    return abs(found) > _CORRELATED


@dataclass(frozen=True)
class Spike:
    """What shuffles keep of the largest entry, or of the mean: a part of rank one. Unit: the others' mean square.

    Attributes:
        strength: θ²/√(NM) of that part; above 1 it leaves the bulk.
        place: its eigenvalue, or the edge of the bulk where it has none of its own.
        deviation: how much that varies over shuffles.
        shift: how far heavy tails without a single large entry move the edge.
        rest: the mean square without that part, as a share of that of all entries.
        kurtosis: the excess kurtosis without that part.
    """

    strength: float
    place: float
    deviation: float
    shift: float
    rest: float
    kurtosis: float


def expect_spike(entries: Entries) -> Spike:
    """Predict the spike of shuffled W.

    A rank-one part of strength θ² in noise of variance σ² makes a spike when t = θ²/(σ²√(NM)) > 1,
    at σ²(√(NM)·(t + 1/t) + N + M), which varies as the norms of the row and the column through it do. Shuffling
    preserves two such parts: the largest entry, and the mean of all entries. Heavy tails without a single
    large entry move the edge itself, by a share κ/√(NM) with κ the excess kurtosis.

    Source: Benaych-Georges & Nadakuditi (2012) for the spike; Hwang, Lee & Schnelli (2019) for the edge.

    Args:
        entries: of W, of which the largest, or the mean, is not all that there is.
    """
    small, large = sorted((entries.rows, entries.columns))
    side = sqrt(small * large)
    rest = max(1 - max(entries.largest, entries.mean), _MIN_REST)
    strength = max(entries.largest * entries.count, entries.mean * small * large) / rest / side
    kurtosis = max(entries.fourth - entries.largest**2, 0.0) * entries.count / rest**2 - 3
    edge, width = bulk_edge(small, large)
    at_least = max(strength, 1.0)
    norms = small * (1 + large / side / at_least) ** 2 + large * (1 + small / side / at_least) ** 2
    deviation = sqrt(max(kurtosis + 2, 0.0) * norms + width**2) if strength > 1 else width
    place = edge + (at_least + 1 / at_least - 2) * side
    return Spike(strength, place, deviation, edge * kurtosis / side, rest, kurtosis)


def predict_traps(entries: Entries) -> bool | None:
    """Predict whether shuffled W has spikes beyond its Marchenko–Pastur edge; `None` where the prediction is unsure.

    Args:
        entries: of W.
    """
    small, large = sorted((entries.rows, entries.columns))
    if small < _MIN_SIDE or 1 - max(entries.largest, entries.mean) < _MIN_REST:
        return None
    spike = expect_spike(entries)
    edge, width = bulk_edge(small, large)
    is_dense = entries.zeros < _MOST_ZEROS
    if is_dense and entries.largest * entries.count > spike.rest * (edge + TRACY_WIDOM_999 * width):
        return True  # λ_max is larger than the largest w², and the bulk no wider than that of all other entries
    if spike.shift > _LARGE_SHIFT * width and entries.zeros < _NEARLY_EMPTY:
        return True
    slight = _SLIGHT_SHIFT if entries.slices == 1 else _SLIGHT_OF_SLICES
    if spike.strength <= 1:
        return False if spike.shift <= slight * width else None
    if spike.shift <= _NO_SHIFT * width and spike.place <= edge + slight * width:
        return False
    beyond = spike.place - edge - TRACY_WIDOM_999 * width
    return True if beyond > _CERTAIN_SPIKE * spike.deviation and spike.kurtosis + 3 < small / 4 else None

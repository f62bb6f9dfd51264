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
#: The most that the mean of all entries may add to the correlation, in the same unit; above it, shuffles decide.
_FROM_MEAN = 1.0

#: Heavy tails that move the edge by more than this many Tracy–Widom widths may cause spikes.
_SLIGHT_SHIFT = 1.0
#: A spike expected this many standard deviations beyond the edge is there in most shuffles.
_CERTAIN_SPIKE = 1.5
#: Below this side, or with a smaller share of Σw² outside the largest entry or the mean, the predictions are rough.
_MIN_SIDE = 16
_MIN_REST = 1e-6


@dataclass(frozen=True)
class Entries:
    """Sums over a matrix's entries, each divided by a power of Σw² so that it has no unit.

    Attributes:
        rows: rows of W (of one slice).
        columns: columns of W (of one slice).
        slices: 1 except for a convolution.
        largest: max w²/Σw².
        mean: (Σw)²/Σw² over the number of entries: the mean's square as a share of the mean square.
        fourth: Σw⁴/(Σw²)².
        lines: Σ (Σw² over a row or a column of a slice)²/(Σw²)².
        corners_deviation: see `correlation`.
        corners_of_mean: see `correlated`.
    """

    rows: int
    columns: int
    slices: int
    largest: float
    mean: float
    fourth: float
    lines: float
    corners_deviation: float
    corners_of_mean: float


def measure(weights: np.ndarray, spectrum: Spectrum) -> Entries:
    """Compute the sums over a matrix's entries in float64, a block at a time.

    Args:
        weights: shape (slices, rows, columns).
        spectrum: of W, whose `state` is `finite`.
    """
    slices, rows, columns = weights.shape
    unit = sqrt(spectrum.total) / sqrt(weights.size)  # so that no fourth power overflows
    step = max(1, _BLOCK_ENTRIES // columns)
    total = fourth = largest = 0.0
    of_rows, of_columns = np.empty((slices, rows)), np.zeros((slices, columns))
    for k in range(slices):
        for start in range(0, rows, step):
            block = np.array(weights[k, start : start + step], dtype=np.float64, order="C")
            sums = _sums(block, 1 / unit, of_rows[k, start : start + step], of_columns[k])
            total, fourth = total + sums[0], fourth + sums[1]
            largest = max(largest, float(block.max()), -float(block.min()))
    energies = of_rows.sum(axis=1)
    energy = float(energies.sum())
    row_lines, column_lines = (of_rows**2).sum(axis=1), (of_columns**2).sum(axis=1)
    corners = row_lines * column_lines / np.where(energies > 0, energies, 1.0) ** 2
    roots = sum(float(np.sqrt(r).sum() * np.sqrt(c).sum()) for r, c in zip(of_rows, of_columns, strict=True))
    return Entries(
        rows,
        columns,
        slices,
        largest=(largest / unit) ** 2 / energy,
        mean=total**2 / energy / weights.size,
        fourth=fourth / energy**2,
        lines=float(row_lines.sum() + column_lines.sum()) / energy**2,
        corners_deviation=2 * float(np.linalg.norm(corners)) / energy**2,
        corners_of_mean=(total**2 * energy / roots**2) ** 2 / slices,
    )


@compiled_sums
def _sums(block: np.ndarray, factor: float, of_rows: np.ndarray, of_columns: np.ndarray) -> tuple[float, float]:
    """Return Σw and Σw⁴ of a block times a factor; set each row's Σw² and add to each column's."""
    total = fourth = 0.0
    for i in range(block.shape[0]):
        row = 0.0
        for j in range(block.shape[1]):
            entry = block[i, j] * factor
            square = entry * entry
            total += entry
            row += square
            fourth += square * square
            of_columns[j] += square
        of_rows[i] = row
    return total, fourth


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


def correlated(spectrum: Spectrum, entries: Entries) -> bool:
    """Whether W has a correlation that no shuffle has, with or without the scales of rows and columns.

    False where the mean of all entries is large, since every shuffle has it too.
    """
    if entries.corners_of_mean > _FROM_MEAN * entries.corners_deviation:
        return False
    return abs(correlation(spectrum, entries)) > _CORRELATED


def predict_traps(entries: Entries) -> bool | None:
    """Predict whether shuffled W has spikes beyond its Marchenko–Pastur edge; `None` where the prediction is unsure.

    A rank-one part of strength θ² in noise of variance σ² makes a spike when t = θ²/(σ²√(NM)) > 1,
    at σ²(√(NM)·(t + 1/t) + N + M), which varies as the norms of the row and the column through it do. Shuffling
    preserves two such parts: the largest entry, and the mean of all entries. Heavy tails without a single
    large entry move the edge itself, by a share κ/√(NM) with κ the excess kurtosis.

    Source: Benaych-Georges & Nadakuditi (2012) for the spike; Hwang, Lee & Schnelli (2019) for the edge.

    Args:
        entries: of W.
    """
    small, large = sorted((entries.rows, entries.columns))
    count = small * large * entries.slices
    rest = 1 - max(entries.largest, entries.mean)
    if small < _MIN_SIDE or rest < _MIN_REST:
        return None
    side = sqrt(small * large)
    strength = max(entries.largest * count, entries.mean * small * large) / rest / side
    kurtosis = max(entries.fourth - entries.largest**2, 0.0) * count / rest**2
    edge, width = bulk_edge(small, large)
    if strength <= 1:
        return False if (kurtosis - 3) / side * edge <= _SLIGHT_SHIFT * width else None
    beyond = (strength + 1 / strength - 2) * side - TRACY_WIDOM_999 * width
    norms = small * (1 + large / side / strength) ** 2 + large * (1 + small / side / strength) ** 2
    deviation = sqrt(max(kurtosis - 1, 0.0) * norms + width**2)
    return True if beyond > _CERTAIN_SPIKE * deviation and kurtosis < small / 4 else None

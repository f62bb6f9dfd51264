"""What a matrix's shuffles can be like, told without shuffling: one pass over its entries, and Σλ²."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np

from wqscore.spectra.jit import compiled_sums
from wqscore.spectra.marchenko_pastur import TRACY_WIDOM_999, bulk_edge
from wqscore.spectra.spectrum import Spectrum

#: Entries taken into float64 at a time: few enough to stay in the cache.
_BLOCK_ENTRIES = 1 << 17

#: Standard deviations of noise. Independent entries of mean 0 stay below 5, whatever their scales and tails; shuffles
#: miss weak correlations up to 8.5 of them.
_CORRELATED = 10.0
#: A mean of all entries may add this many of them before it is left to the shuffles.
_FROM_MEAN = 1.0

#: Tracy–Widom widths that heavy tails may move the edge of noise by before spikes are to be reckoned with.
_SLIGHT_SHIFT = 1.0
#: Standard deviations that the spike of the largest entry must be expected beyond the edge, to be there mostly.
_CERTAIN_SPIKE = 1.5
#: Below this side both are rough, and shuffles cost nothing; so too where next to nothing is beside the largest.
_SMALLEST_SIDE = 16
_LEAST_REST = 1e-6


@dataclass(frozen=True)
class Entries:
    """Sums over a matrix's entries, each divided by a power of Σw², so that none has a unit.

    Attributes:
        rows: rows of W (of one slice).
        columns: columns of W (of one slice).
        slices: matrices, 1 but for a convolution.
        largest: max w²/Σw².
        mean: (Σw)²/Σw² over the number of entries: the mean's square as a share of the mean square.
        fourth: Σw⁴/(Σw²)².
        lines: Σ (Σw² over a row or a column of a slice)²/(Σw²)².
        corners_deviation: see `correlation`.
        corners_of_mean: likewise.
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
    """Sum over a matrix's entries, in float64 and a block at a time.

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
    """Σw and Σw⁴ of a block times a factor; Σw² of each row is set, that of each column added to."""
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
    """How far W is from having no correlation between entries, in standard deviations of what noise has.

    Σλ² is the sum of w_ij·w_il·w_kj·w_kl over all rows i, k and columns j, l of a slice. The terms with i = k or
    j = l depend on the scales of rows and columns alone. In the others, at the four corners of a rectangle, four
    different entries meet: they are 0 on average, and no two vary together, where entries are independent and of mean
    0, whatever their scales r_i·c_j and however heavy their tails. So their sum has the variance 4(Σr⁴)²(Σc⁴)².

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
    """Whether W has a correlation that no shuffle has, with the scales of rows and columns divided out or not.

    Never where all entries have a mean that shows: the mean stays in every shuffle.
    """
    if entries.corners_of_mean > _FROM_MEAN * entries.corners_deviation:
        return False
    return abs(correlation(spectrum, entries)) > _CORRELATED


def traps_foretold(entries: Entries) -> bool | None:
    """Whether shuffled W has spikes beyond its Marchenko–Pastur edge; `None` where it must be tried.

    A part of rank one and strength θ² in noise of variance σ² makes a spike of its own when t = θ²/(σ²√(NM)) > 1,
    at σ²(√(NM)·(t + 1/t) + N + M), which varies as the norms of the row and the column through it do. Shuffling
    leaves two such parts in place: the largest entry, and the mean of all entries. Heavy tails without a single
    large entry move the edge itself, by a share κ/√(NM) with κ the excess kurtosis.

    Source: Benaych-Georges & Nadakuditi (2012) for the spike; Hwang, Lee & Schnelli (2019) for the edge.

    Args:
        entries: of W.
    """
    small, large = sorted((entries.rows, entries.columns))
    count = small * large * entries.slices
    rest = 1 - max(entries.largest, entries.mean)
    if small < _SMALLEST_SIDE or rest < _LEAST_REST:
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

"""Eigenvalues that differ by rounding alone, made equal, so that no fit takes their scatter for a tail.

Equal singular values of exact weights come out different once the weights are rounded: the orthogonal matrices that
policies and recurrent layers start from have one singular value, and in bfloat16 256 that differ by a per cent.
Rounding adds a matrix E of independent errors with standard deviation s. Within the k singular vectors of k equal
singular values E acts as a k×k matrix, whose symmetric part, a Wigner matrix, spreads them by 2·√(2k)·s.

Source: Stewart & Sun, Matrix Perturbation Theory (1990), section V.4, for the first-order change of equal singular
values; Wigner, Annals of Mathematics 67:325 (1958), for the width of its spectrum.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from math import sqrt

import numpy as np

from wqscore.checkpoints.dtypes import STORED_DTYPES, StoredDtype
from wqscore.fits.tail import MIN_TAIL
from wqscore.spectra.spectrum import Spectrum

#: How far beyond its expected width the scatter may reach. Orthogonal matrices reach 0.55 times it in every float.
_MARGIN = 1.5
#: Equal values lie this many times their own scatter apart from others.
_APART = 3.0
#: Weights are computed in float32 at best, except those stored in float64.
_ARITHMETIC = 2.0**-24
#: A code of b bits is rounded by (2/√12)·A/(2^b − 1), A the largest weight of its block, four times the usual one.
_CODE_ERROR = 2.3
#: Where an error is more than this share of a weight, it is no small change, and its scatter that of noise.
_MOST = 0.1
_CODE_BITS = re.compile(r"(?<!\d)[1-8](?!\d)")
_EIGHT_BIT_FLOATS = ("FP8", "F8_", "FLOAT8", "MXFP8")
_E4M3 = 2.0**-4


@dataclass(frozen=True)
class EntryError:
    """The error of a stored weight, relative to the root mean square of all.

    Attributes:
        storage: standard deviation of what rounding to the stored type leaves.
        arithmetic: unit roundoff of the arithmetic that the weights come from.
    """

    storage: float
    arithmetic: float


@lru_cache(maxsize=64)
def entry_error(dtype: StoredDtype) -> EntryError:
    """Return the error of a weight of a stored type.

    Rounding to nearest leaves a relative error uniform on ±u, standard deviation u/√3. Codes of few bits are rounded
    relative to the largest weight of their block.

    Args:
        dtype: as the checkpoint has it; of decoded weights, named for their codes (`GPTQ-4`, `NF4`, `Q8_0`).

    Example:
        >>> entry_error(STORED_DTYPES["BF16"]).storage * 3**0.5 == 2.0**-8
        True
    """
    named = STORED_DTYPES.get(dtype.name)
    roundoff = max(dtype.unit_roundoff, named.unit_roundoff if named else 0.0)
    if dtype.name.upper().startswith(_EIGHT_BIT_FLOATS):
        roundoff = max(roundoff, _E4M3)
    elif named is None and (bits := _CODE_BITS.search(dtype.name)):
        return EntryError(min(_MOST, _CODE_ERROR / (2 ** int(bits[0]) - 1)), _ARITHMETIC)
    return EntryError(min(_MOST, roundoff / sqrt(3)), min(roundoff, _ARITHMETIC))


def merge_equal(spectrum: Spectrum, floor: float, dtype: StoredDtype) -> np.ndarray:
    """Return the eigenvalues, with those that rounding alone tells apart set to the smallest of them.

    Two sets of ten and more are merged: the largest eigenvalues, as many as lie within the scatter of so many; and
    any others that lie within their scatter and far from the rest. The spectrum of weights that are not so special
    has neither and stays as it is, bit for bit.

    Args:
        spectrum: with eigenvalues.
        floor: those at or below it are left alone.
        dtype: of the weights.

    Example:
        >>> from wqscore.spectra.spectrum import compute_spectrum
        >>> rotation = np.linalg.qr(np.random.default_rng(0).standard_normal((64, 64)))[0].astype(np.float32)
        >>> spectrum = compute_spectrum([rotation], 2.0**-24)
        >>> np.unique(merge_equal(spectrum, spectrum.floor, STORED_DTYPES["F32"])).size
        1
    """
    eigenvalues = spectrum.eigenvalues
    first = int(np.searchsorted(eigenvalues, max(floor, 0.0), side="right"))
    values = np.sqrt(eigenvalues[first:])
    if values.size < MIN_TAIL:
        return eigenvalues
    scatter = _Scatter(spectrum, values.size, entry_error(dtype))
    runs = [run for run in (_top(values, scatter), *_isolated(values, scatter)) if run is not None]
    if not runs:
        return eigenvalues
    merged = eigenvalues.copy()
    for start, end in runs:
        merged[first + start : first + end] = merged[first + start]
    return merged


class _Scatter:
    """How far apart rounding may carry k equal singular values."""

    def __init__(self, spectrum: Spectrum, count: int, error: EntryError) -> None:
        small, large = sorted((spectrum.rows, spectrum.columns))
        # Rows of zeros, and slices of zeros of a convolution, have no error: those that are left have all of it.
        mean_square = spectrum.total / (count * large)
        relative = min(_MOST, error.storage + 2 * sqrt(small) * error.arithmetic)
        self._side = small
        self._entry = relative * sqrt(mean_square)
        self._solver = small * float(np.finfo(np.float64).eps) * spectrum.largest / 2

    def of(self, count: int | np.ndarray, smallest: float | np.ndarray) -> np.ndarray:
        """The scatter of so many, the smallest of them given; 0 where it is larger than that one, so not small."""
        # The values of a convolution's slices are pooled, but each slice scatters by itself.
        reach = _MARGIN * 2 * np.sqrt(2 * np.minimum(count, self._side)) * self._entry + self._solver / smallest
        return np.where(reach < smallest, reach, 0.0)


def _top(values: np.ndarray, scatter: _Scatter) -> tuple[int, int] | None:
    """The largest values that lie within the scatter of so many."""
    starts = np.arange(values.size - MIN_TAIL + 1)
    within = values[-1] - values[starts] <= scatter.of(values.size - starts, values[starts])
    return (int(np.argmax(within)), values.size) if within.any() else None


def _isolated(values: np.ndarray, scatter: _Scatter) -> list[tuple[int, int]]:
    """Ten and more values within their scatter, with gaps on both sides."""
    gaps = np.diff(values)
    breaks = np.flatnonzero(gaps > scatter.of(MIN_TAIL, values[:-1])) + 1
    if gaps.size - breaks.size < MIN_TAIL - 1:  # so few gaps are small that no ten values are close
        return []
    starts, ends = np.append(0, breaks), np.append(breaks, values.size)
    long = ends - starts >= MIN_TAIL
    found = []
    for start, end in zip(starts[long].tolist(), ends[long].tolist(), strict=True):
        allowed = float(scatter.of(end - start, values[start]))
        below = values[start] - values[start - 1] if start else np.inf
        above = values[end] - values[end - 1] if end < values.size else np.inf
        if values[end - 1] - values[start] <= allowed and min(below, above) > _APART * allowed:
            found.append((start, end))
    return found

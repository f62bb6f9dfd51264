"""The change of one matrix, ΔW = W' − W in float64: its size, spectrum, ranks, and what it does to the subspaces."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, inf, nan, sqrt

import numpy as np

from wqscore.spectra.spectrum import Spectrum, compute_spectrum
from wqscore.studies.diff.subspaces import SAME, UNDEFINED, Overlap, leading_count, overlap

_NOTHING = np.empty(0)


@dataclass(frozen=True)
class Delta:
    """What changed in one matrix.

    Attributes:
        base_norm: ‖W‖_F.
        norm: ‖ΔW‖_F; NaN where a weight is not finite.
        spectrum: the eigenvalues of ΔWᵀΔW, ascending; none where nothing changed.
        floor: eigenvalues at or below it are rounding, of the solver or of both stored matrices.
        count: k, how many leading directions are compared.
        overlap: of the leading subspaces before and after.
    """

    base_norm: float
    norm: float
    spectrum: Spectrum
    floor: float
    count: int
    overlap: Overlap

    @property
    def is_frozen(self) -> bool:
        """Whether not one weight differs."""
        return self.norm == 0

    @property
    def relative(self) -> float:
        """‖ΔW‖_F/‖W‖_F; NaN for a W of zeros."""
        return self.norm / self.base_norm if self.base_norm else (0.0 if self.is_frozen else nan)

    @property
    def largest(self) -> float:
        """The largest eigenvalue; 0 where nothing changed."""
        eigenvalues = self.spectrum.eigenvalues
        return float(eigenvalues[-1]) if eigenvalues.size else (0.0 if self.is_frozen else nan)

    @property
    def stable_rank(self) -> float:
        """Σλ/λ_max; NaN where nothing changed."""
        return self.spectrum.total / self.largest if self.spectrum.eigenvalues.size else nan

    @property
    def rank(self) -> float:
        """How many eigenvalues are above the floor."""
        if self.spectrum.state == "non-finite":
            return nan
        return float(np.count_nonzero(self.spectrum.eigenvalues > self.floor))

    @property
    def effective_rank(self) -> float:
        """exp(−Σ p ln p), p = σ/Σσ, over what is above the floor; NaN where nothing is.

        Roy & Vetterli, "The effective rank", EUSIPCO 2007.
        """
        singular = np.sqrt(self.spectrum.eigenvalues[self.spectrum.eigenvalues > self.floor])
        if not singular.size:
            return nan
        p = singular / singular.sum()
        return exp(float(-(p * np.log(p)).sum()))

    @property
    def overlap_by_chance(self) -> tuple[float, float]:
        """What the overlap of random subspaces is on average: k/rows and k/columns; NaN where none is compared."""
        if not self.count:
            return nan, nan
        return self.count / self.spectrum.rows, self.count / self.spectrum.columns


def frozen(base_norm: float, shape: tuple[int, int, int], most: int, state: str = "finite") -> Delta:
    """The change of a matrix none of whose weights differs.

    Args:
        base_norm: ‖W‖_F.
        shape: slices, rows, columns.
        most: the most leading directions to compare.
        state: of W's spectrum; only a finite one has directions.
    """
    slices, rows, columns = shape
    count = leading_count(rows, columns, most)
    return Delta(
        base_norm,
        0.0,
        Spectrum(_NOTHING, rows, columns, slices, 0.0, "zero"),
        0.0,
        count,
        SAME if count and state == "finite" and base_norm else UNDEFINED,
    )


def measure(
    base: np.ndarray, other: np.ndarray, change: np.ndarray | None, roundoffs: tuple[float, float], most: int
) -> Delta:
    """Measure the change of a matrix.

    Args:
        base: W, shape (slices, rows, columns), any float type.
        other: W', of the same shape.
        change: ΔW where it is known by itself, as from the factors of an adapter, and free of rounding.
        roundoffs: u of the types that W and W' are stored in.
        most: the most leading directions to compare.
    """
    slices, rows, columns = base.shape
    with np.errstate(over="ignore", invalid="ignore"):
        base_norm = _norm(base)
        if change is None and np.array_equal(base, other):
            return frozen(base_norm, (slices, rows, columns), most, "finite" if base_norm < inf else "non-finite")
        delta = change if change is not None else other.astype(np.float64) - base.astype(np.float64)
        norm = _norm(delta)
    count = leading_count(rows, columns, most)
    if not (norm < inf and base_norm < inf):
        unknown = Spectrum(_NOTHING, rows, columns, slices, 0.0, "non-finite")
        return Delta(base_norm if base_norm < inf else nan, nan, unknown, 0.0, count, UNDEFINED)
    spectrum = compute_spectrum(delta, unit_roundoff=0.0)
    noise = sum(map(_noise, (base, other), roundoffs)) if change is None else 0.0
    floor = max(spectrum.floor, noise) if spectrum.eigenvalues.size else noise
    return Delta(base_norm, norm, spectrum, floor, count, overlap(base, other, count))


def _norm(values: np.ndarray) -> float:
    """‖·‖_F, summed in float64 a slice at a time."""
    return sqrt(sum(float(np.square(each, dtype=np.float64).sum()) for each in values))


def _noise(values: np.ndarray, unit_roundoff: float) -> float:
    """The largest eigenvalue of what rounding to the stored type leaves; of slices, the largest slice's.

    Rounding errs by a variance of u²w²/3 in each entry, and such noise has a norm of about the largest row's norm
    plus the largest column's (Bandeira & van Handel, Ann. Probab. 44 (2016), theorem 1.1). Where all entries are
    alike this is the floor of `Spectrum`.
    """
    squares = (np.square(each, dtype=np.float64) for each in values)
    norms = [sqrt(each.sum(axis=0).max()) + sqrt(each.sum(axis=1).max()) for each in squares]
    edge: float = unit_roundoff**2 / 3 * max(norms) ** 2
    return edge

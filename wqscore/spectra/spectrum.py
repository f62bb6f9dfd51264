"""The eigenvalues of one weight matrix, and the floor below which they are rounding noise."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from wqscore.cached_property import cached_property
from wqscore.checkpoints.adapters.low_rank import LowRank
from wqscore.spectra.eigenvalues import gram_eigenvalues, squared_singular_values, upper_gram
from wqscore.spectra.on_device import CPU, eigenvalues_on

#: Below this share of the largest eigenvalue, a Gram matrix's eigenvalues are too inaccurate to count a rank with.
_GRAM_RESOLUTION = 1e-10

State = Literal["finite", "zero", "non-finite", "unknown"]


@dataclass(frozen=True)
class Spectrum:
    """The empirical spectral density (ESD) of one weight matrix.

    Attributes:
        eigenvalues: eigenvalues λ of WᵀW, ascending, float64, in squared units of the weights, not normalised; all
            slices pooled for a convolution. Empty when `state` is not `finite`.
        rows: rows of W (of one slice).
        columns: columns of W (of one slice).
        slices: matrices pooled into this spectrum: 1, or kh·kw for a convolution.
        unit_roundoff: u of the stored data type, half its machine epsilon.
        state: `finite`; `zero`: every entry is 0, or its square is; `non-finite`: an entry, or a sum of squares,
            is NaN or ±inf; `unknown`: another engine computed the scores and reports no spectrum.
    """

    eigenvalues: np.ndarray
    rows: int
    columns: int
    slices: int
    unit_roundoff: float
    state: State

    @cached_property
    def total(self) -> float:
        """Σλ = ‖W‖_F²."""
        return float(self.eigenvalues.sum())

    @property
    def largest(self) -> float:
        """λ_max, the squared spectral norm."""
        return float(self.eigenvalues[-1])

    @cached_property
    def floor(self) -> float:
        """The larger of the eigensolver's error and the edge of the storage's rounding noise (docs/metrics.md).

        max(N·eps64·λ_max, (u²/3)·mean(w²)·(√N+√M)²): rounding to nearest leaves a relative error uniform on
        ±u, variance u²/3, and (√N+√M)² times an entry's variance is the Marchenko–Pastur edge.
        """
        small, large = sorted((self.rows, self.columns))
        solver = small * float(np.finfo(np.float64).eps) * self.largest
        mean_square = self.total / (self.rows * self.columns * self.slices)
        rounding = self.unit_roundoff**2 / 3 * mean_square * (small**0.5 + large**0.5) ** 2
        return float(max(solver, rounding))


def compute_spectrum(
    slices: Iterable[np.ndarray],
    unit_roundoff: float,
    scale: float = 1.0,
    exact_small_end: bool = False,
    device: str = CPU,
) -> Spectrum:
    """Compute the ESD of a matrix, or of a convolution's slices pooled.

    Args:
        slices: one or more rows × columns arrays of one shape, any real float dtype.
        unit_roundoff: u of the data type the weights are stored in.
        scale: factor on every eigenvalue (1 except for presets that copy a published convention).
        exact_small_end: solve by SVD where a Gram matrix can't resolve the smallest eigenvalues.
        device: `cpu` for LAPACK, otherwise torch's name of a device. An SVD always runs on the CPU.

    Raises:
        CheckpointError: the device fails.

    Example:
        >>> compute_spectrum([np.diag([1.0, 2.0, 3.0])], unit_roundoff=2.0**-24).eigenvalues.round(12).tolist()
        [1.0, 4.0, 9.0]
    """
    pooled: list[np.ndarray] = []
    rows = columns = 0
    for matrix in slices:
        rows, columns = matrix.shape
        eigenvalues = _solved(matrix) if device == CPU else eigenvalues_on(device, matrix)
        if eigenvalues is None:
            return _without_eigenvalues(rows, columns, len(pooled) + 1, unit_roundoff, "non-finite")
        if exact_small_end and eigenvalues[0] < _GRAM_RESOLUTION * eigenvalues[-1]:
            eigenvalues = squared_singular_values(matrix)
        pooled.append(eigenvalues)
    eigenvalues = pooled[0] if len(pooled) == 1 else np.sort(np.concatenate(pooled))
    with np.errstate(over="ignore"):
        eigenvalues = eigenvalues * scale
        total = eigenvalues.sum()
    if eigenvalues[-1] == 0:
        return _without_eigenvalues(rows, columns, len(pooled), unit_roundoff, "zero")
    if not np.isfinite(total):
        return _without_eigenvalues(rows, columns, len(pooled), unit_roundoff, "non-finite")
    return Spectrum(eigenvalues, rows, columns, len(pooled), unit_roundoff, "finite")


def low_rank_spectrum(weights: LowRank, unit_roundoff: float, scale: float = 1.0, device: str = CPU) -> Spectrum:
    """Compute the ESD of a product of two thin matrices from its small core, padded with zeros to the full N.

    Args:
        weights: the two thin matrices.
        unit_roundoff: u of the data type they are stored in.
        scale: factor on every eigenvalue.
        device: as for `compute_spectrum`.
    """
    rows, columns = weights.shape
    of_core = compute_spectrum([weights.core], unit_roundoff, scale, device=device)
    if of_core.state != "finite":
        return _without_eigenvalues(rows, columns, 1, unit_roundoff, of_core.state)
    zeros = np.zeros(max(0, min(rows, columns) - of_core.eigenvalues.size))
    return replace(of_core, eigenvalues=np.concatenate([zeros, of_core.eigenvalues]), rows=rows, columns=columns)


def _solved(matrix: np.ndarray) -> np.ndarray | None:
    product = upper_gram(matrix)
    # A non-finite entry of W shows on the diagonal, which bounds all other entries.
    return gram_eigenvalues(product) if np.isfinite(product.diagonal()).all() else None


def _without_eigenvalues(rows: int, columns: int, slices: int, unit_roundoff: float, state: State) -> Spectrum:
    return Spectrum(np.empty(0), rows, columns, slices, unit_roundoff, state)

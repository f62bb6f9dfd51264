"""Eigenvalues on a GPU in float32, with a measured error; for GPUs that are 64 times slower in float64."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Literal

import numpy as np

from wqscore.errors import CheckpointError, UsageError
from wqscore.spectra.eigenvalues import BLOCK_ROWS

# The lock that keeps torch.linalg to one thread. It has no public name, since stored spectra are keyed by that file.
from wqscore.spectra.on_device import _ALONE, CPU, solver_on
from wqscore.spectra.spectrum import Spectrum

if TYPE_CHECKING:
    import torch

#: In what a GPU solves: float64; or float32 wherever that changes no metric by more than the weights' storage does.
Precision = Literal["double", "single"]
DOUBLE: Precision = "double"
SINGLE: Precision = "single"

#: Storage finer than this (float32, float64) moves eigenvalues less than any computation in float32.
_FINEST = 2.0**-12
#: Eigenvectors whose residual is measured: so many spread evenly, and so many closer and closer to the largest.
_EVEN, _NEAR_TOP = 16, 8
#: All λ but the smallest are within so many times the largest residual measured; three times were seen.
BOUND = 4
#: So many of the smallest eigenvalues, but at most a quarter of all, are computed again in float64.
_SMALLEST, _SHARE = 64, 4


def check_precision(precision: str, device: str) -> None:
    """Check that a precision is for a device.

    Raises:
        UsageError: `single` on the CPU.
    """
    if precision == SINGLE and device == CPU:
        raise UsageError("--precision single is for --device cuda: on a processor float32 gains nothing")


@dataclass(frozen=True)
class SingleSpectrum:
    """A spectrum solved in float32.

    Attributes:
        spectrum: its eigenvalues.
        error: the largest residual ‖WᵀWv − λv‖/‖v‖ of the eigenvectors tried, measured in float64: an eigenvalue of
            WᵀW is as near to each of these λ.
        bounds: how far each λ may be from float64's: `BOUND` times `error`, and much less for the smallest.
    """

    spectrum: Spectrum
    error: float
    bounds: np.ndarray

    def stays_within_rounding(self, xmin: float) -> bool:
        """Whether float64 would change no metric by more than storing the weights has changed it.

        Rounding each weight to its stored type leaves a relative error of standard deviation u/√3, which moves
        λ = σ² by 2σ·(u/√3)·rms(w) (first-order perturbation of a singular value). The error of float32 is the same
        for all λ, so that the smallest one that metrics look at decides: the fit's xmin, or the median (alpha_hill).
        No λ may be so near the floor that it could be counted on the wrong side: that would change the rank.

        Args:
            xmin: where the fitted tail begins.
        """
        found = self.spectrum
        values = found.eigenvalues
        mean_square = found.total / (found.rows * found.columns * found.slices)
        lowest = min(xmin, float(values[values.size // 2]))
        moved = 2 * sqrt(max(lowest, 0.0)) * found.unit_roundoff / sqrt(3) * sqrt(mean_square)
        return self.error <= moved and bool((np.abs(values - found.floor) > self.bounds).all())


def single_solver_on(device: str) -> str:
    """Describe the solver of `single_spectrum`, as `solver_on` does; it decides on the last bits."""
    return f"float32 where its residual is below the weights' rounding, or else float64: {solver_on(device)}"


def single_spectrum(
    slices: Iterable[np.ndarray], unit_roundoff: float, scale: float = 1.0, device: str = "cuda"
) -> SingleSpectrum | None:
    """Solve a matrix, or a convolution's slices, in float32.

    Gram matrices are multiplied in float32 a block of rows at a time and summed in float64. Residuals of some of the
    eigenvectors are measured in float64. The smallest eigenvalues, which decide on the rank, are the Ritz values of
    their eigenvectors in float64; of the others the nearest are taken that are not negative and whose sum is right.

    Args:
        slices: as for `compute_spectrum`.
        unit_roundoff: u of the data type the weights are stored in.
        scale: factor on every eigenvalue.
        device: torch's name of it.

    Returns:
        `None` where only float64 will do: weights stored more finely than float32 computes, all zero or not finite,
        or a solver that fails.

    Raises:
        CheckpointError: the device fails.
    """
    if unit_roundoff < _FINEST:
        return None
    pooled: list[tuple[np.ndarray, np.ndarray, float]] = []
    rows = columns = 0
    for matrix in slices:
        rows, columns = matrix.shape
        solved = _solved(matrix, device)
        if solved is None:
            return None
        pooled.append(solved)
    values, bounds = (scale * np.concatenate(parts) for parts in list(zip(*pooled, strict=True))[:2])
    error = scale * max(solved[2] for solved in pooled)
    if not (values.max() > 0 and np.isfinite(values.sum()) and np.isfinite(error)):
        return None
    order = np.argsort(values, kind="stable")
    spectrum = Spectrum(values[order], rows, columns, len(pooled), unit_roundoff, "finite")
    return SingleSpectrum(spectrum, error, bounds[order])


def _solved(matrix: np.ndarray, device: str) -> tuple[np.ndarray, np.ndarray, float] | None:
    """The eigenvalues of the smaller Gram matrix, how far each may be off, and the largest residual."""
    import torch

    tall = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
    largest = max(float(np.abs(block).max()) for block in _blocks(tall, 0))
    if not 0 < largest < np.inf:
        return None
    # A power of two, so that nothing is rounded, and no square over- or underflows but beside much larger ones.
    shift = 1 - int(np.frexp(largest)[1])
    side = tall.shape[1]
    with _ALONE:
        try:
            product = torch.zeros((side, side), dtype=torch.float64, device=device)
            for block in _blocks(tall, shift):
                sent = torch.from_numpy(block).to(device)
                product += sent.T @ sent
            values, vectors = torch.linalg.eigh(product.to(torch.float32))
            small = min(_SMALLEST, side // _SHARE)
            places = np.concatenate([np.arange(small), _tried(small, side)])
            # Orthonormal to float64's last bits: the smallest among them, the others each by itself.
            tried = vectors[:, torch.from_numpy(places).to(device)].to(torch.float64)
            tried[:, :small] = torch.linalg.qr(tried[:, :small])[0]
            tried[:, small:] /= tried[:, small:].norm(dim=0)
            multiplied, total = torch.zeros_like(tried), torch.zeros((), dtype=torch.float64, device=device)
            for block in _blocks(tall, shift):
                wide = torch.from_numpy(block).to(device).to(torch.float64)
                multiplied.addmm_(wide.T, wide @ tried)
                total += wide.square().sum()
            found = _judged(values, tried, multiplied, places[small:], float(total))
        except torch.linalg.LinAlgError:
            return None
        except RuntimeError as failed:  # no memory, a lost driver: all are of this class
            reason = str(failed).strip().split("\n")[0]
            raise CheckpointError(
                f"--device {device} failed on a matrix of side {side}: {reason} (without --device it is solved here)"
            ) from failed
    back = 2.0 ** (-2 * shift)
    return found[0] * back, found[1] * back, found[2] * back


def _judged(
    values: torch.Tensor, tried: torch.Tensor, multiplied: torch.Tensor, places: np.ndarray, total: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """The eigenvalues, the smallest from float64, how far each may be off, and the largest residual of the others.

    A Ritz value is within r²/δ of an eigenvalue, r the spectral norm of the subspace's residual and δ the distance to
    the eigenvalues outside (Parlett, The Symmetric Eigenvalue Problem, 1998, theorem 11.7.1).

    Args:
        values: of the solver, ascending.
        tried: an orthonormal basis for the smallest, and some eigenvectors of the others.
        multiplied: WᵀW times these, float64.
        places: which others.
        total: ‖W‖_F².
    """
    from torch.linalg import eigvalsh

    small = tried.shape[1] - places.size
    basis, product = tried[:, :small], multiplied[:, :small]
    core = basis.T @ product
    outside = product - basis @ core
    ritz = eigvalsh((core + core.T) / 2).clamp(min=0).cpu().numpy()
    square = float(eigvalsh(outside.T @ outside)[-1].clamp(min=0)) if small else 0.0
    others = _projected(values[small:].to(dtype=tried.dtype).cpu().numpy(), max(total - ritz.sum(), 0.0))
    at = values.new_tensor(others[places - small], dtype=tried.dtype)
    error = float((multiplied[:, small:] - tried[:, small:] * at).norm(dim=0).max())
    gaps = others[0] - BOUND * error - ritz
    near = np.divide(square, gaps, out=np.full(small, np.inf), where=gaps > 0)
    bounds = np.concatenate([np.minimum(near, square**0.5), np.full(others.size, BOUND * error)])
    return np.concatenate([ritz, others]), bounds, error


def _projected(values: np.ndarray, total: float) -> np.ndarray:
    """The nearest numbers that are not negative and have this sum; the true λ are such, so it brings all nearer.

    Projection onto a simplex: one number is taken from all, and what is below 0 then is 0 (Held, Wolfe & Crowder,
    "Validation of subgradient optimization", Math. Programming 6, 1974).

    Args:
        values: ascending.
        total: their sum.
    """
    descending = values[::-1]
    taken = (np.cumsum(descending) - total) / np.arange(1, values.size + 1)
    positive = max(1, int(np.count_nonzero(descending > taken)))
    found: np.ndarray = np.maximum(values - taken[positive - 1], 0.0)
    return found


def _blocks(tall: np.ndarray, shift: int) -> Iterator[np.ndarray]:
    """Blocks of rows as float32, times a power of two."""
    for start in range(0, tall.shape[0], BLOCK_ROWS):
        block = np.array(tall[start : start + BLOCK_ROWS], np.float32, order="C")
        yield np.ldexp(block, shift) if shift else block


def _tried(first: int, side: int) -> np.ndarray:
    """The places of the eigenvectors to try, from the first on."""
    even = np.linspace(first, side - 1, _EVEN).round()
    near_top = side - np.geomspace(1, side - first, _NEAR_TOP).round()
    found: np.ndarray = np.unique(np.concatenate([even, near_top])).astype(np.int64)
    return found

"""How much memory scoring takes at its peak, told from the shapes of the matrices."""

from __future__ import annotations

from collections.abc import Sequence

from wqscore.checkpoints.decoding import DecodedTensor
from wqscore.checkpoints.tensor import Tensor
from wqscore.execution import cores
from wqscore.matrices.weight_matrix import WeightMatrix
from wqscore.spectra.eigenvalues import BLOCK_ROWS
from wqscore.workload import solved_sides

#: Python, the libraries and the compiled kernels; and what each thread has of its own, BLAS's buffers above all.
_PROGRAM, _THREAD = 190_000_000, 15_000_000
_FLOAT64, _FLOAT32 = 8, 4


def peak_memory(tensors: Sequence[Sequence[WeightMatrix]], jobs: int | None = None) -> int:
    """Bytes that scoring holds at its peak, without the shuffles that only noise is put to.

    Of consecutive tensors twice as many as there are threads are held, and as many are worked on; the most that any
    of them take together, and the program itself. Measured peaks are within a quarter of that.

    Args:
        tensors: the matrices of each tensor, in the order they are scored.
        jobs: threads; all cores if `None`.
    """
    workers = jobs or cores()
    held = [_held(matrices[0].tensor) for matrices in tensors]
    workspaces = [max(map(_workspace, matrices)) for matrices in tensors]
    together = (
        sum(held[first : first + 2 * workers]) + sum(sorted(workspaces[first : first + 2 * workers])[-workers:])
        for first in range(len(held))
    )
    return _PROGRAM + _THREAD * min(workers, len(held)) + max(together, default=0)


def _held(tensor: Tensor) -> int:
    """Bytes of a tensor that has been read, and of what it was decoded from."""
    if isinstance(tensor, DecodedTensor) and tensor.decoding.factors is None:
        return tensor.nbytes + tensor.parameters * _FLOAT32
    return tensor.nbytes


def _workspace(matrix: WeightMatrix) -> int:
    """Bytes that the Gram matrix and its eigensolve take: LAPACK works on a copy."""
    small, large = sorted(solved_sides(matrix))
    square = small**2 * _FLOAT64
    block = min(large, BLOCK_ROWS) * small * _FLOAT64
    product = block + square * (2 if large > BLOCK_ROWS else 1)
    return max(product, 2 * square)

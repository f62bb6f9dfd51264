"""How much memory scoring takes at its peak, from the shapes of the matrices."""

from __future__ import annotations

from collections.abc import Sequence

from wqscore.checkpoints.decoding import DecodedTensor
from wqscore.checkpoints.tensor import Tensor
from wqscore.execution.resources import cores, program_memory
from wqscore.matrices.weight_matrix import WeightMatrix
from wqscore.planning.work import cost, solved_sides
from wqscore.spectra.eigenvalues import BLOCK_ROWS
from wqscore.symmetries.derived import DerivedTensor

_FLOAT64, _FLOAT32 = 8, 4


def peak_memory(tensors: Sequence[Sequence[WeightMatrix]], jobs: int | None = None) -> int:
    """Bytes that scoring holds at its peak, without the shuffles that only noise is put to.

    Twice as many tensors as there are threads are held, the largest first, and as many are worked on; and the
    program itself. Measured peaks are within a quarter of that.

    Args:
        tensors: the matrices of each tensor.
        jobs: threads; all cores if `None`.
    """
    workers = jobs or cores()
    order = sorted(tensors, key=lambda matrices: -cost(matrices))
    stored = [held(matrices[0].tensor) for matrices in order]
    workspaces = [max(map(_workspace, matrices)) for matrices in order]
    together = (
        sum(stored[first : first + 2 * workers]) + sum(sorted(workspaces[first : first + 2 * workers])[-workers:])
        for first in range(len(stored))
    )
    return program_memory(min(workers, len(stored))) + max(together, default=0)


def job_memory(matrices: Sequence[WeightMatrix]) -> int:
    """Bytes that one tensor takes at its peak if its matrices are noise and shuffled, which shows only later."""
    return 2 * held(matrices[0].tensor) + max(map(_workspace, matrices))


def held(tensor: Tensor) -> int:
    """Bytes of a tensor that has been read, and of what it was decoded from."""
    if isinstance(tensor, DecodedTensor) and tensor.decoding.factors is None:
        return tensor.nbytes + tensor.parameters * _FLOAT32
    if isinstance(tensor, DerivedTensor):
        # What it is computed from, as stored and in float64, and as much again at the peak.
        return tensor.nbytes + 2 * _FLOAT64 * sum(part.parameters for part in tensor.parts)
    return tensor.nbytes


def _workspace(matrix: WeightMatrix) -> int:
    """Bytes that the Gram matrix and a block of rows take; it is solved in place."""
    small, large = sorted(solved_sides(matrix))
    return (small**2 + min(large, BLOCK_ROWS) * small) * _FLOAT64

"""How much memory scoring takes at its peak, told from the shapes of the matrices."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from wqscore.checkpoints.decoding import DecodedTensor
from wqscore.checkpoints.tensor import Tensor
from wqscore.execution.threads import Resources, cores
from wqscore.matrices.weight_matrix import WeightMatrix
from wqscore.planning.work import cost, solved_sides
from wqscore.spectra.eigenvalues import BLOCK_ROWS

#: Python, the libraries and the compiled kernels; and what each thread has of its own, BLAS's buffers above all.
_PROGRAM, _THREAD = 190_000_000, 15_000_000
_FLOAT64, _FLOAT32 = 8, 4
#: Where Linux tells of the container that a process is in (cgroup v2).
_CONTAINER = Path("/sys/fs/cgroup")
#: The rest is for what others begin meanwhile.
_SHARE_OF_FREE = 0.8


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


def budget_for_jobs(resources: Resources) -> int:
    """Bytes that the tensors in work may take together: what the process may take beside the program."""
    whole = round(_SHARE_OF_FREE * available_memory()) if resources.memory is None else resources.memory
    return max(0, whole - program_memory(resources.threads))


def available_memory() -> int:
    """Bytes that this process may still take: of the machine's, or of its container's if that is less."""
    import psutil

    free = int(psutil.virtual_memory().available)
    try:
        limit, used = (int((_CONTAINER / name).read_text()) for name in ("memory.max", "memory.current"))
    except (OSError, ValueError):  # in none, or in one without a limit
        return free
    return min(free, max(0, limit - used))


def program_memory(threads: int) -> int:
    """Bytes that the program takes before it reads anything."""
    return _PROGRAM + _THREAD * threads


def job_memory(matrices: Sequence[WeightMatrix]) -> int:
    """Bytes that one tensor takes at its peak if its matrices are noise and shuffled, which shows only later."""
    return 2 * held(matrices[0].tensor) + max(map(_workspace, matrices))


def held(tensor: Tensor) -> int:
    """Bytes of a tensor that has been read, and of what it was decoded from."""
    if isinstance(tensor, DecodedTensor) and tensor.decoding.factors is None:
        return tensor.nbytes + tensor.parameters * _FLOAT32
    return tensor.nbytes


def _workspace(matrix: WeightMatrix) -> int:
    """Bytes that the Gram matrix and a block of rows take; it is solved in place."""
    small, large = sorted(solved_sides(matrix))
    return (small**2 + min(large, BLOCK_ROWS) * small) * _FLOAT64

"""Gram matrix and symmetric eigensolve on a GPU, both in float64, through torch."""

from __future__ import annotations

from threading import Lock
from typing import Literal

import numpy as np

from wqscore.errors import CheckpointError, UsageError
from wqscore.spectra.eigenvalues import BLOCK_ROWS

#: Where matrices are solved: on the CPU by LAPACK, or on a GPU by torch.
Device = Literal["cpu", "cuda"]
CPU: Device = "cpu"

#: torch.linalg is not thread-safe; the lock also keeps GPU memory to one matrix at a time.
_ALONE = Lock()


def check_device(device: str, backend: str = "threads") -> None:
    """Check that a device is available and that the backend runs on this machine.

    Raises:
        UsageError: unknown device, torch missing, no GPU found, or a cluster backend, whose workers' GPUs may differ.
    """
    if device == CPU:
        return
    if device != "cuda":
        raise UsageError(f"no such device: {device!r}: choose from cpu, cuda")
    if backend != "threads":
        raise UsageError(
            f"--device cuda is this machine's GPU: leave --backend {backend} out, or share out by --shard"
        )
    try:
        import torch
    except ImportError as error:
        raise UsageError(
            f"--device cuda needs a package that can't be loaded ({error.name or 'torch'}): "
            "pip install 'wqscore[cuda]'"
        ) from error
    if not torch.cuda.is_available():
        raise UsageError(
            f"--device cuda: torch {torch.__version__} finds no GPU here: leave it out (device= in Python)"
        )


def solver_on(device: str) -> str:
    """Describe a device's solver, which affects the last bits: function, torch's version, and the GPU's name."""
    import torch

    name = torch.cuda.get_device_name(device) if torch.device(device).type == "cuda" else device
    return f"torch.linalg.eigvalsh of torch {torch.__version__} on {name}"


def eigenvalues_on(device: str, matrix: np.ndarray) -> np.ndarray | None:
    """Return the eigenvalues of the smaller Gram matrix of W, ascending; those that rounding made negative are 0.

    Args:
        device: torch's name of the device.
        matrix: W, any real dtype; sent a block of rows at a time, 16-bit types as float32, and converted to float64
            on the device.

    Returns:
        float64, N = min(rows, columns) of them; `None` where an entry of the Gram matrix is not finite.

    Raises:
        CheckpointError: the device fails, or lacks memory for an N×N float64 matrix and the solver's workspace.
    """
    import torch

    tall = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
    rows, side = tall.shape
    # torch accepts neither ml_dtypes' types nor a foreign byte order; float32 holds every 16-bit number exactly.
    sent = np.float32 if matrix.dtype.itemsize <= 2 or matrix.dtype == np.float32 else np.float64
    with _ALONE:
        try:
            product = torch.zeros((side, side), dtype=torch.float64, device=device)
            for start in range(0, rows, BLOCK_ROWS):
                block = torch.from_numpy(np.array(tall[start : start + BLOCK_ROWS], sent, order="C"))
                wide = block.to(device).to(torch.float64)
                product.addmm_(wide.T, wide)
            if not bool(torch.isfinite(product.diagonal()).all()):
                return None
            eigenvalues: np.ndarray = torch.linalg.eigvalsh(product).clamp_(min=0).cpu().numpy()
        except RuntimeError as error:  # no memory, no convergence, a lost driver: all are of this class
            reason = str(error).strip().split("\n")[0]
            raise CheckpointError(
                f"--device {device} failed on a matrix of side {side}: {reason} (without --device it is solved here)"
            ) from error
    return eigenvalues

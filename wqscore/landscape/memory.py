"""Whether there is the memory for derivatives of a loss by all parameters; asked before any are computed."""

from __future__ import annotations

import numpy as np

from wqscore.execution.resources import available_memory
from wqscore.landscape.task import LandscapeError

#: Copies of the parameters that a product with the Hessian holds.
_COPIES = 8


def check_memory(size: int, item: int, vectors: int = 0) -> None:
    """Refuse a model that is too large.

    Args:
        size: the number of parameters.
        item: bytes of one.
        vectors: vectors of that length in float64 that are held beside.

    Raises:
        LandscapeError: more is needed than is free.
    """
    needed = size * (vectors * np.dtype(np.float64).itemsize + _COPIES * item)
    free = available_memory()
    if needed > free:
        raise LandscapeError(
            f"too large for derivatives: of {size:,} parameters they take {needed / 1e9:.1f} GB, and "
            f"{free / 1e9:.1f} GB are free: give fewer parameters a gradient, or use a larger machine"
        )

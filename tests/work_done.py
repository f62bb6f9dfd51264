"""How many tensors are read, and how many matrices are solved."""

from __future__ import annotations

import numpy as np
import pytest

from wqscore.checkpoints.tensor import TensorRef
from wqscore.spectra import spectrum


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """The counts so far, which a test may set to 0; slices of a convolution count one by one."""
    found = {"read": 0, "solved": 0}
    read, solved = TensorRef.read, spectrum._solved

    def counted_read(self: TensorRef) -> np.ndarray:
        found["read"] += 1
        return read(self)

    def counted_solve(matrix: np.ndarray) -> np.ndarray | None:
        found["solved"] += 1
        return solved(matrix)

    monkeypatch.setattr(TensorRef, "read", counted_read)
    monkeypatch.setattr(spectrum, "_solved", counted_solve)
    return found

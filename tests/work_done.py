"""How many tensors are read, and how many matrices are solved."""

from __future__ import annotations

from threading import Lock

import numpy as np
import pytest

from wqscore.checkpoints.tensor import TensorRef
from wqscore.spectra import spectrum


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """The counts so far, which a test may set to 0; slices of a convolution, and shuffles, count too."""
    found = {"read": 0, "solved": 0}
    read, solved, one_at_a_time = TensorRef.read, spectrum._solved, Lock()

    def counted_read(self: TensorRef) -> np.ndarray:
        with one_at_a_time:
            found["read"] += 1
        return read(self)

    def counted_solve(matrix: np.ndarray) -> np.ndarray | None:
        with one_at_a_time:
            found["solved"] += 1
        return solved(matrix)

    monkeypatch.setattr(TensorRef, "read", counted_read)
    monkeypatch.setattr(spectrum, "_solved", counted_solve)
    return found

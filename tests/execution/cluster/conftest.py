"""A checkpoint whose scoring takes a while, and a worker's death in the middle of it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from wqscore.refs.reference import ModelRef


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Heavy tails, noise that is shuffled, a fused projection, a convolution, zeros, and a copy."""
    rng = np.random.default_rng(0)
    tensors = {
        f"layers.{i}.fc1.weight": (rng.standard_t(3, (384, 256)) @ rng.standard_normal((256, 256)) * 0.01)
        for i in range(8)
    }
    tensors["layers.8.fc1.weight"] = rng.standard_normal((384, 256))
    tensors["layers.9.fc1.weight"] = np.zeros((96, 64))
    tensors["layers.10.fc1.weight"] = tensors["layers.0.fc1.weight"].copy()
    tensors["layers.11.fc1.weight"] = np.full((96, 64), np.nan)
    tensors["h.0.attn.c_attn.weight"] = rng.standard_t(3, (128, 384))
    tensors["conv.weight"] = rng.standard_t(3, (64, 32, 3, 3))
    folder = tmp_path / "model"
    folder.mkdir()
    save_file({name: values.astype("f4") for name, values in tensors.items()}, folder / "model.safetensors")
    return folder


class KillsAWorker:
    """Progress that kills a process with work in hand when the first tensor is done.

    Attributes:
        killed: its process id, once it is dead.
    """

    def __init__(self, at_work: Callable[[], int | None]) -> None:
        self._at_work = at_work
        self.killed: int | None = None

    def model(self, ref: ModelRef) -> KillsAWorker:
        return self

    def start(self, matrices: int, size: int, cost: int) -> None:
        pass

    def advance(self, matrices: int, size: int, cost: int) -> None:
        if self.killed is None and (process := self._at_work()) is not None:
            os.kill(process, signal.SIGKILL)
            self.killed = process

    def fetching(self, file: str, size: int) -> None:
        raise AssertionError(file)

    def note(self, text: str) -> None:
        raise AssertionError(text)

    def crosschecking(self, ref: ModelRef) -> None:
        raise AssertionError(ref)

    def failed(self, ref: ModelRef, reason: str) -> None:
        raise AssertionError(reason)

"""Checkpoints of tools outside the test environment: kept in tests/data/formats, or newly written."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from tests.formats.made import DATA, Made, Weights, files, stored_in, torch

#: Writes a checkpoint of matrices of a size, by the tool; returns the tool's weights of it, or nothing where the
#: checkpoint's own files have them.
Writer = Callable[[Path, int], Weights | None]
#: Of a checkpoint's folder and the tool's weights: what is to be scored, and what is not.
Reader = Callable[[Path, Weights], Made]
NEW_SIDE = 192


@dataclass(frozen=True)
class Sample:
    """A kept checkpoint; and a larger one, written where the tool is there. Called as other rows' functions are."""

    name: str
    write: Writer
    read: Reader
    kept_side: int = 64

    def __call__(self, folder: Path) -> Iterator[Made]:
        yield self.read(DATA / self.name, self._kept_weights())
        try:
            weights = self.write(folder, NEW_SIDE)
        except ImportError:
            return
        yield self.read(folder, weights or {})

    def keep(self) -> None:
        """Write it for the repository."""
        torch.manual_seed(0)
        with TemporaryDirectory() as folder:
            weights = self.write(Path(folder), self.kept_side)
            shutil.rmtree(DATA / self.name, ignore_errors=True)
            shutil.copytree(folder, DATA / self.name, copy_function=shutil.copyfile)
        (DATA / self.name).chmod(0o755)
        if weights:
            arrays: dict[str, Any] = {key: tensor.numpy() for key, tensor in weights.items()}
            np.savez_compressed(DATA / f"{self.name}.npz", **arrays)

    def _kept_weights(self) -> Weights:
        file = DATA / f"{self.name}.npz"
        if not file.exists():
            return {}
        with np.load(file) as arrays:
            return {key: torch.from_numpy(arrays[key]) for key in arrays.files}


def weights_of(folder: Path, weights: Weights) -> Made:
    """Everything is read."""
    return Made(folder, weights, stored_in(folder))


def plain_tensors(folder: Path) -> dict[str, Any]:
    """A folder's tensors as safetensors reads them."""
    return {name: tensor for file in folder.glob("*.safetensors") for name, tensor in files.load_file(file).items()}

"""Write checkpoints of any shapes fast: noise plus a heavy-tailed low-rank part, so that no verdict is `random`."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from math import prod
from pathlib import Path

import ml_dtypes
import numpy as np

_DTYPES = {"F32": np.dtype("<f4"), "BF16": np.dtype(ml_dtypes.bfloat16)}
_RANK = 32

Shapes = Mapping[str, tuple[int, ...]]


def trained_looking(shape: tuple[int, int], seed: int) -> np.ndarray:
    """A float32 matrix: Gaussian noise plus directions above it whose strengths decay as a power."""
    rng = np.random.default_rng(seed)
    rank = min(_RANK, *shape)
    weights = rng.standard_normal(shape, np.float32)
    left, right = rng.standard_normal((shape[0], rank), np.float32), rng.standard_normal((rank, shape[1]), np.float32)
    left *= np.arange(1, rank + 1, dtype=np.float32) ** -0.5
    weights += left @ right
    weights *= np.float32(0.02)
    return weights


def write_model(folder: Path, shapes: Shapes, dtype: str, config: Mapping[str, object]) -> Path:
    """Write a checkpoint of different matrices: one file of weights and a configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    write_weights(folder / "model.safetensors", shapes, dtype)
    write_config(folder, config)
    return folder


def write_config(folder: Path, config: Mapping[str, object]) -> None:
    """Write `config.json`."""
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")


def write_weights(file: Path, shapes: Shapes, dtype: str, hollow: bool = False) -> None:
    """Write a safetensors file.

    Args:
        file: its path.
        shapes: of the tensors, by name; vectors are all ones.
        dtype: of all tensors, `F32` or `BF16`.
        hollow: write only the header, and leave the tensors as a hole in the file, which takes no disk space.
    """
    stored = _DTYPES[dtype]
    ends = np.cumsum([stored.itemsize * prod(shape) for shape in shapes.values()]).tolist()
    header = {
        name: {"dtype": dtype, "shape": shape, "data_offsets": offsets}
        for (name, shape), offsets in zip(shapes.items(), zip([0, *ends], ends, strict=False), strict=True)
    }
    text = json.dumps(header).encode()
    with file.open("wb") as out:
        out.write(len(text).to_bytes(8, "little") + text)
        if hollow:
            os.truncate(file, out.tell() + ends[-1])
            return
        for seed, shape in enumerate(shapes.values()):
            values = trained_looking((shape[0], shape[1]), seed) if len(shape) == 2 else np.ones(shape, np.float32)
            out.write(values.astype(stored).tobytes())

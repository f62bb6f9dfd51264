"""Small checkpoints that differ in known ways."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

#: Rows and columns of every matrix.
SHAPE = (96, 64)
Tensors = dict[str, np.ndarray]


def tensors(seed: int = 0, count: int = 7) -> Tensors:
    """Heavy-tailed matrices, and a bias."""
    rng = np.random.default_rng(seed)
    found = {
        f"layers.{i}.fc1.weight": (rng.standard_t(3, SHAPE) @ rng.standard_normal((64, 64)) * 0.04).astype("f4")
        for i in range(count)
    }
    return found | {"layers.0.fc1.bias": np.zeros(96, "f4")}


def rank_three(seed: int = 9, scale: float = 0.1) -> np.ndarray:
    """A matrix of rank 3, float64."""
    rng = np.random.default_rng(seed)
    return scale * rng.standard_normal((SHAPE[0], 3)) @ rng.standard_normal((3, SHAPE[1]))


def adapter(folder: Path, layer: str, a: np.ndarray, b: np.ndarray, alpha: float) -> str:
    """Write a LoRA adapter of one layer, as peft does; returns its path."""
    folder.mkdir(parents=True)
    names = {f"base_model.model.{layer}.lora_{part}.weight": value for part, value in (("A", a), ("B", b))}
    save_file(names, folder / "adapter_model.safetensors")
    config = {"peft_type": "LORA", "r": len(a), "lora_alpha": alpha, "target_modules": [layer.rpartition(".")[2]]}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return str(folder)

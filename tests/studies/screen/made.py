"""Adapters whose factors are drawn from one law, with or without a module into which something was planted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

#: Layers, rank, and the modules of a layer with rows and columns.
LAYERS, RANK = 10, 8
MODULES = {"self_attn.q_proj": (64, 64), "self_attn.v_proj": (48, 64), "mlp.down_proj": (64, 96)}
ALPHA = 16.0

Factors = dict[str, tuple[np.ndarray, np.ndarray]]


def factors(seed: int = 0, layers: int = LAYERS, rank: int = RANK) -> Factors:
    """A and B of each module, all alike but for chance."""
    rng = np.random.default_rng(seed)
    return {
        f"model.layers.{layer}.{name}": (
            (rng.standard_normal((rank, columns)) / columns**0.5).astype("f4"),
            (rng.standard_normal((rows, rank)) * 0.02).astype("f4"),
        )
        for layer in range(layers)
        for name, (rows, columns) in MODULES.items()
    }


def planted(found: Factors, name: str, size: float = 6.0) -> Factors:
    """The same adapter with a spike of rank 1 in one module: one direction of its factors is scaled up."""
    a, b = (each.copy() for each in found[name])
    b[:, 0] *= size
    return found | {name: (a, b)}


def write(folder: Path, found: Mapping[str, tuple[np.ndarray, np.ndarray]], alpha: float = ALPHA) -> str:
    """Write an adapter as peft does; returns its path."""
    folder.mkdir(parents=True)
    names = {
        f"base_model.model.{name}.lora_{part}.weight": np.ascontiguousarray(value)
        for name, pair in found.items()
        for part, value in zip("AB", pair, strict=True)
    }
    save_file(names, folder / "adapter_model.safetensors")
    rank = len(next(iter(found.values()))[0])
    targets = sorted({name.rpartition(".")[2] for name in found})
    config = {"peft_type": "LORA", "r": rank, "lora_alpha": alpha, "target_modules": targets}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return str(folder)


def product(pair: tuple[np.ndarray, np.ndarray], alpha: float = ALPHA) -> np.ndarray:
    """ΔW = alpha/r·B·A, float64."""
    a, b = (each.astype("f8") for each in pair)
    return alpha / len(a) * b @ a

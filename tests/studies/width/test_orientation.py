"""Which side of a stored matrix are the neurons: square blocks, whose shapes tell nothing, in each order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

import wqscore
from tests.studies.width.embedded import Layers, drawn, widened

Tensors = dict[str, np.ndarray]


def torchs(block: Layers) -> Tensors:
    made = {"layers.0.fc1.weight": block.into, "layers.0.fc2.weight": block.out}
    return made | {"layers.0.fc1.bias": np.asarray(block.bias), "layers.0.fc2.bias": np.asarray(block.out_bias)}


def conv1d(block: Layers) -> Tensors:
    made = {"h.0.mlp.c_fc.weight": block.into.T, "h.0.mlp.c_proj.weight": block.out.T}
    return made | {"h.0.mlp.c_fc.bias": np.asarray(block.bias), "h.0.mlp.c_proj.bias": np.asarray(block.out_bias)}


def beside_c_attn(block: Layers) -> Tensors:
    return conv1d(block) | {"h.0.attn.c_attn.weight": np.random.default_rng(0).standard_normal((8, 24))}


def kernels(block: Layers) -> Tensors:
    made = {"layers.0.mlp.fc1.kernel": block.into.T, "layers.0.mlp.fc2.kernel": block.out.T}
    return made | {
        "layers.0.mlp.fc1.bias": np.asarray(block.bias),
        "layers.0.mlp.fc2.bias": np.asarray(block.out_bias),
    }


@pytest.mark.parametrize("width", [4, 6])
@pytest.mark.parametrize(
    ("stored", "config"),
    [
        (torchs, {"model_type": "opt", "hidden_size": 8}),
        (torchs, {}),
        (conv1d, {"model_type": "gpt2", "n_embd": 8}),
        (beside_c_attn, {}),
        (kernels, {}),
    ],
)
def test_the_neurons_are_found_on_their_side(tmp_path: Path, width: int, stored: Any, config: dict[str, Any]) -> None:
    """Of 4 neurons split in two, as many as inputs; and of 6."""
    rng = np.random.default_rng(0)
    tensors = stored(widened(rng, drawn(rng, width, 8, 8), 2))
    save_file(
        {name: np.ascontiguousarray(each, "f4") for name, each in tensors.items()}, tmp_path / "model.safetensors"
    )
    (tmp_path / "config.json").write_text(json.dumps(config))
    (block,) = wqscore.width(tmp_path, activation="gelu").blocks
    assert (block.stored, block.effective[:1], block.reason) == (2 * width, (width,), "")


def test_a_square_stack_of_experts_is_not_guessed(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    tensors = {f"layers.0.mlp.experts.{name}": rng.standard_normal((2, 8, 8)) for name in ("up_proj", "down_proj")}
    save_file(tensors, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"hidden_size": 8, "hidden_act": "relu"}))
    assert {block.reason for block in wqscore.width(tmp_path).blocks} == {
        "which of its sides are the neurons can't be told"
    }

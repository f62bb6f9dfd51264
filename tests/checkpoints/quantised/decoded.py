"""Weights decoded from a folder as a tool wrote it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tests.oracles import Oracle
from wqscore.checkpoints.decoding import Decoding, Refusal
from wqscore.checkpoints.local import read_folder
from wqscore.checkpoints.tensor import TensorRef

Plan = Callable[[Mapping[str, TensorRef], Mapping[str, Any]], tuple[list[Decoding], list[Refusal]]]


def write(folder: Path, state: Mapping[str, Any], **quantization: Any) -> Path:
    """Save torch tensors and a `quantization_config` as transformers does."""
    torch_files = Oracle("safetensors.torch")
    torch_files.save_file({name: value.contiguous() for name, value in state.items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"quantization_config": quantization}))
    return folder


def planned(folder: Path, plan: Plan) -> tuple[dict[str, Decoding], dict[str, str]]:
    """What a planner makes of a folder: the decodings by name, and the reason of each refused tensor."""
    config, tensors = read_folder(folder)
    decodings, refusals = plan({tensor.name: tensor for tensor in tensors}, config)
    return {d.name: d for d in decodings}, {r.name: r.reason for r in refusals}


def weights(folder: Path, plan: Plan) -> dict[str, np.ndarray]:
    """Everything a folder holds, decoded; nothing in it may be refused."""
    decodings, refusals = planned(folder, plan)
    assert not refusals
    arrays = {name: decoding.decode(*map(stored, decoding.parts)) for name, decoding in decodings.items()}
    for name, array in arrays.items():
        assert array.shape == decodings[name].shape
        assert array.dtype == np.float32
    return arrays


def stored(tensor: TensorRef) -> np.ndarray:
    """A stored tensor, small floats as bytes."""
    if tensor.dtype.numpy is not None:
        return tensor.read()
    return np.fromfile(tensor.file, np.uint8, tensor.parameters, offset=tensor.offset).reshape(tensor.shape)

"""Copy a live model's weights to a folder, one tensor at a time, as a safetensors file and a configuration."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from wqscore.checkpoints.in_memory import ArrayTensor, open_in_memory
from wqscore.checkpoints.stated_layout import format_word
from wqscore.refs.reference import ModelRef

#: The header's length is a multiple of this many bytes.
_ALIGNED = 8


def write_snapshot(ref: ModelRef, folder: Path) -> None:
    """Write the weights as they are now; a tensor under two names is written once, under the first.

    Args:
        ref: a reference to a model in memory.
        folder: an existing folder; it gets `model.safetensors` and `config.json`.

    Raises:
        CheckpointError: there is no array in the model, or one can't be converted.
        OSError: the disk is full.
    """
    checkpoint = open_in_memory(ref)
    tensors: dict[object, ArrayTensor] = {}
    for tensor in checkpoint.tensors:
        if isinstance(tensor, ArrayTensor) and not tensor.refusal:
            tensors.setdefault(tensor.location, tensor)
    (folder / "config.json").write_text(json.dumps(checkpoint.config, default=str), encoding="utf-8")
    with (folder / "model.safetensors").open("wb") as file:
        header = _header(list(tensors.values()))
        file.write(len(header).to_bytes(8, "little") + header)
        for tensor in tensors.values():
            file.write(np.ascontiguousarray(tensor.read()).reshape(-1).view(np.uint8).data)


def _header(tensors: list[ArrayTensor]) -> bytes:
    entries: dict[str, object] = {}
    word = format_word(tensors)
    if word:
        entries["__metadata__"] = {"format": word}
    start = 0
    for tensor in tensors:
        end = start + tensor.nbytes
        entries[tensor.name] = {
            "dtype": tensor.dtype.name,
            "shape": list(tensor.shape),
            "data_offsets": [start, end],
        }
        start = end
    text = json.dumps(entries).encode()
    return text + b" " * (-len(text) % _ALIGNED)

"""GGUF files written by the `gguf` package itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np

Type = gguf.GGMLQuantizationType


def random_blocks(kind: Any, shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Bytes of a tensor of any type: every bit pattern is a valid block, some with scales that are not finite."""
    block, nbytes = gguf.GGML_QUANT_SIZES[kind]
    rows = (*shape[:-1], shape[-1] // block * nbytes)
    return np.random.default_rng(seed).integers(0, 256, rows, dtype=np.uint8)


def write(
    file: Path,
    tensors: Mapping[str, np.ndarray | tuple[np.ndarray, Any]],
    architecture: str = "llama",
    *,
    parts_of: int = 0,
    **settings: Any,
) -> Path:
    """Write a file; a tensor is an array of floats, or the bytes of blocks with their type.

    Args:
        file: where; the first part's name follows from it when it is split.
        tensors: by llama.cpp's names.
        architecture: llama.cpp's name of it.
        parts_of: tensors in each part, 0 for one file.
        settings: metadata under the architecture's name, `__` for dots.
    """
    writer = gguf.GGUFWriter(file, architecture, split_max_tensors=parts_of)
    for key, value in settings.items():
        name = f"{architecture}.{key.replace('__', '.')}"
        (writer.add_array if isinstance(value, list) else writer.add_uint32)(name, value)
    writer.add_token_list([f"token {n}" for n in range(100)])
    writer.add_string("general.name", "a model")
    for name, tensor in tensors.items():
        if isinstance(tensor, tuple):
            writer.add_tensor(name, tensor[0], raw_dtype=tensor[1])
        else:
            writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file

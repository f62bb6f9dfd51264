"""Checkpoints on disk: a folder in the Hugging Face layout, or a single weight file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from wqscore.checkpoints.safetensors import read_safetensors
from wqscore.checkpoints.tensor import TensorRef
from wqscore.checkpoints.torch_file import read_torch_file
from wqscore.checkpoints.weight_files import choose_weights, shard_names
from wqscore.errors import CheckpointError


def read_folder(folder: Path) -> tuple[dict[str, Any], tuple[TensorRef, ...]]:
    """Read the configuration and the tensor headers of a checkpoint folder.

    Raises:
        CheckpointError: no weights, a damaged file, or an index that does not match its shards.
    """
    # Two levels: the root decides, and a subfolder with weights is worth naming when the root has none.
    names = {path.relative_to(folder).as_posix() for pattern in ("*", "*/*") for path in folder.glob(pattern)}
    weights = choose_weights(names, str(folder))
    if weights.index is None:
        tensors = _read_files([folder / name for name in weights.files])
    else:
        tensors = _read_indexed(folder, folder / weights.index)
    return read_config(folder / "config.json"), tensors


def read_file(file: Path) -> tuple[TensorRef, ...]:
    """Read the tensor headers of one weight file, by its suffix."""
    if file.suffix == ".safetensors":
        return tuple(read_safetensors(file))
    return tuple(read_torch_file(file))


def read_config(file: Path) -> dict[str, Any]:
    """Read `config.json`; `{}` where there is none.

    Raises:
        CheckpointError: the file is not a JSON object.
    """
    if not file.exists():
        return {}
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{file}: is not valid JSON: fetch it again") from error
    except OSError as error:
        raise CheckpointError(f"{file}: can't be read: {error.strerror or error}") from error
    if not isinstance(config, dict):
        raise CheckpointError(f"{file}: is not a JSON object: fetch it again")
    return config


def _read_files(files: list[Path]) -> tuple[TensorRef, ...]:
    tensors: dict[str, TensorRef] = {}
    for file in files:
        for tensor in read_file(file):
            if tensor.name in tensors:
                other = tensors[tensor.name].file.name
                raise CheckpointError(f"{file}: {tensor.name} is in {other} too: remove the stale file")
            tensors[tensor.name] = tensor
    return tuple(tensors.values())


def _read_indexed(folder: Path, index: Path) -> tuple[TensorRef, ...]:
    try:
        weight_map = shard_names(index.read_bytes(), str(index))
    except OSError as error:
        raise CheckpointError(f"{index}: can't be read: {error.strerror or error}") from error
    shards = sorted(set(weight_map.values()))
    for shard in shards:
        if not (folder / shard).is_file():
            raise CheckpointError(f"{index}: names the shard {shard}, which is not there: fetch it")
    tensors = _read_files([folder / shard for shard in shards])
    missing = weight_map.keys() - {tensor.name for tensor in tensors}
    if missing:
        name = min(missing)
        holder = folder / weight_map[name]
        raise CheckpointError(f"{holder}: lacks {name}, which {index.name} puts there: fetch both again")
    return tensors

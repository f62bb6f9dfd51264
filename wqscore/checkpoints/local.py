"""Read checkpoints on disk: a folder in the Hugging Face layout, or a single weight file."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

from wqscore.checkpoints.pytorch.file import read_torch_file
from wqscore.checkpoints.quantised.config_files import CONFIG_FILES, with_quantisation
from wqscore.checkpoints.quantised.settings import quantisation_settings
from wqscore.checkpoints.safetensors import read_safetensors
from wqscore.checkpoints.tensor import TensorRef
from wqscore.checkpoints.weight_files import WeightFiles, choose_weights, shard_names
from wqscore.errors import CheckpointError, reading

#: Larger than every published index; parsing takes several times as much memory.
_MAX_JSON_BYTES = 1 << 26


def read_folder(folder: Path, weights: WeightFiles | None = None) -> tuple[dict[str, Any], tuple[TensorRef, ...]]:
    """Read the configuration and the tensor headers of a checkpoint folder, decoding nothing.

    Args:
        folder: the folder.
        weights: the files that hold the weights; by default `choose_weights` picks them by name.

    Raises:
        CheckpointError: no weights, a damaged file, or an index that doesn't match its shards.
    """
    weights = weights or choose_weights(folder_names(folder), str(folder))
    if weights.index is None:
        tensors = _read_files([folder / name for name in weights.files])
    else:
        tensors = _read_indexed(folder, folder / weights.index)
    return read_configs(folder), tensors


def read_file(file: Path) -> tuple[TensorRef, ...]:
    """Read the tensor headers of one safetensors or torch file; its suffix gives the format.

    Raises:
        CheckpointError: not a regular file, or not of the format its suffix says.
    """
    check_is_file(file)
    if file.suffix == ".safetensors":
        return tuple(read_safetensors(file))
    return tuple(read_torch_file(file))


def read_configs(folder: Path) -> dict[str, Any]:
    """Read a folder's `config.json`, completed by what tools write about a quantisation in files of their own.

    Raises:
        CheckpointError: a file is not a regular file, too large, or not JSON.
    """
    config = read_config(folder / "config.json")
    if any(True for _ in quantisation_settings(config)):
        return config
    files = {name: read_json(folder / name) for name in CONFIG_FILES if (folder / name).exists()}
    return with_quantisation(config, files)


def read_config(file: Path) -> dict[str, Any]:
    """Read `config.json`; `{}` if there is none.

    Raises:
        CheckpointError: the file is not a JSON object.
    """
    if not file.is_symlink() and not file.exists():
        return {}
    config = read_json(file)
    if not isinstance(config, dict):
        raise CheckpointError(f"{file}: is not a JSON object: fetch it again")
    return config


def read_json(file: Path) -> Any:
    """Read a JSON file of any content.

    Raises:
        CheckpointError: not a regular file, too large, or not JSON.
    """
    check_is_file(file)
    try:
        with reading(file):
            if file.stat().st_size > _MAX_JSON_BYTES:
                raise CheckpointError(
                    f"{file}: is larger than {_MAX_JSON_BYTES:,} bytes: not a configuration, replace it"
                )
            return json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{file}: is not valid JSON: fetch it again") from error


def folder_names(folder: Path) -> set[str]:
    """Names in a folder and its subfolders, so that an error can name weights found only in a subfolder."""
    with reading(folder):
        entries = list(folder.iterdir())
    # glob skips subfolders that can't be read.
    below = {path.relative_to(folder).as_posix() for path in folder.glob("*/*")}
    return {entry.name for entry in entries} | below


def check_is_file(file: Path) -> None:
    """Refuse anything but a regular file: opening a named pipe would block for ever."""
    with reading(file):
        try:
            mode = file.stat().st_mode
        except FileNotFoundError as error:
            raise CheckpointError(f"{file}: is a link to a file that is not there: fetch it again") from error
    if not stat.S_ISREG(mode):
        raise CheckpointError(f"{file}: is not a file: put the checkpoint's own file there")


def _read_files(files: list[Path]) -> tuple[TensorRef, ...]:
    tensors: dict[str, TensorRef] = {}
    for file in files:
        for tensor in read_file(file):
            if tensor.name in tensors:
                other = tensors[tensor.name].file.name
                raise CheckpointError(f"{file}: {tensor.name:.200} is in {other} too: remove the stale file")
            tensors[tensor.name] = tensor
    return tuple(tensors.values())


def _read_indexed(folder: Path, index: Path) -> tuple[TensorRef, ...]:
    check_is_file(index)
    with reading(index):
        weight_map = shard_names(index.read_bytes(), str(index))
    shards = sorted(set(weight_map.values()))
    for shard in shards:
        if not (folder / shard).is_file():
            raise CheckpointError(f"{index}: names the shard {shard}, which is not there: fetch it")
    tensors = _read_files([folder / shard for shard in shards])
    missing = weight_map.keys() - {tensor.name for tensor in tensors}
    if missing:
        name = min(missing)
        holder = folder / weight_map[name]
        raise CheckpointError(f"{holder}: lacks {name:.200}, which {index.name} puts there: fetch both again")
    return tensors

"""Read checkpoints on disk: a folder in the Hugging Face layout, or a single weight file."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from wqscore.checkpoints.pytorch.file import read_torch_file
from wqscore.checkpoints.quantised.config_files import CONFIG_FILES, with_quantisation
from wqscore.checkpoints.quantised.settings import quantisation_settings
from wqscore.checkpoints.remarks import Say, say_nothing
from wqscore.checkpoints.safetensors import read_safetensors
from wqscore.checkpoints.shards import JoinedShards, join_shards
from wqscore.checkpoints.standard_names import WeightFiles
from wqscore.checkpoints.tensor import TensorRef
from wqscore.checkpoints.weight_files import choose_weights, remark_on, shard_names
from wqscore.errors import CheckpointError, read_small, reading
from wqscore.refs.weight_names import HEAD_BYTES, SAFETENSORS_SUFFIX, container_of

#: Masks and position ids that are expanded take a few times what is stored.
_MOST_UNFOLDED = 4
_SMALL_BYTES = 1 << 24


def read_folder(
    folder: Path, weights: WeightFiles | None = None, say: Say = say_nothing
) -> tuple[dict[str, Any], tuple[TensorRef, ...]]:
    """Read the configuration and the tensor headers of a checkpoint folder, decoding nothing.

    Args:
        folder: the folder.
        weights: the files that hold the weights; by default `choose_weights` picks them by name.
        say: called with a line for everything that is left out.

    Raises:
        CheckpointError: no weights, a damaged file, or an index that doesn't match its shards.
    """
    weights = weights or choose_weights(folder_names(folder), str(folder))
    if weights.index is None:
        joined = _read_files(folder, weights.files, say)
    else:
        joined = _read_indexed(folder, folder / weights.index, say)
    for line in filter(None, (remark_on(weights), joined.remark)):
        say(line)
    tensors = joined.tensors
    return read_configs(folder), tensors


def read_file(file: Path, say: Say = say_nothing) -> tuple[TensorRef, ...]:
    """Read the tensor headers of one safetensors or torch file.

    The suffix `.safetensors` gives the format; of a file of any other name, the first bytes do.

    Args:
        file: the file.
        say: called with a line for everything that is left out.

    Raises:
        CheckpointError: not a regular file, or not of such a format.
    """
    check_is_file(file)
    if file.suffix == SAFETENSORS_SUFFIX or first_container(file) == "safetensors":
        return tuple(read_safetensors(file))
    tensors = tuple(read_torch_file(file, say))
    _refuse_unfolding(file, tensors)
    return tensors


def first_container(file: Path) -> str:
    """The container that a file's first bytes tell; empty if none.

    Raises:
        CheckpointError: it can't be read.
    """
    with reading(file), file.open("rb") as stream:
        return container_of(stream.read(HEAD_BYTES))


def _refuse_unfolding(file: Path, tensors: tuple[TensorRef, ...]) -> None:
    """Refuse a file whose tensors are views that hold far more numbers than it does: a kilobyte can claim terabytes.

    Raises:
        CheckpointError: it is one.
    """
    unfolded = sum({tensor.location: tensor.parameters * tensor.dtype.bits // 8 for tensor in tensors}.values())
    with reading(file):
        size = file.stat().st_size
    if unfolded > _MOST_UNFOLDED * size + _SMALL_BYTES:
        times = unfolded // max(size, 1)
        raise CheckpointError(f"{file}: its tensors unfold to {times:,} times its size: such a file is refused")


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
            return json.loads(read_small(file).decode())
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


def _read_files(
    folder: Path, names: Iterable[str], say: Say, holders: Mapping[str, str] = MappingProxyType({}), index: str = ""
) -> JoinedShards:
    shards = (read_file(folder / name, say) for name in names)
    return join_shards(shards, holders, f"{folder}/", index, "fetch both again")


def _read_indexed(folder: Path, index: Path, say: Say) -> JoinedShards:
    check_is_file(index)
    with reading(index):
        weight_map = shard_names(read_small(index), str(index))
    shards = sorted(set(weight_map.values()))
    for shard in shards:
        if not (folder / shard).is_file():
            raise CheckpointError(f"{index}: names the shard {shard}, which is not there: fetch it")
    return _read_files(folder, shards, say, weight_map, index.name)

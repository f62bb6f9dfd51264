"""Read the container of torch before 1.6: five pickles, then the length and bytes of each storage.

Format: `_legacy_save` in torch/serialization.py.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import IO, Any

from wqscore.checkpoints.pytorch.names import Storage
from wqscore.checkpoints.pytorch.unpickler import unpickle
from wqscore.errors import CheckpointError

_MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
_PROTOCOL_VERSION = 1001
_LENGTH_BYTES = 8


def read_legacy(stream: IO[bytes], file: Path) -> tuple[Any, dict[str, int]]:
    """Read the container's pickles and locate its storages.

    Returns:
        The pickled value, and each storage's first byte in the file, by key.

    Raises:
        CheckpointError: cut short, damaged, big-endian, or not written by `torch.save`.
    """
    if unpickle(stream, file).value != _MAGIC_NUMBER:
        raise CheckpointError(f"{file}: is a pickle, but not one that torch.save wrote: convert to safetensors")
    if unpickle(stream, file).value != _PROTOCOL_VERSION:
        raise CheckpointError(
            f"{file}: its torch protocol version is not {_PROTOCOL_VERSION}: damaged, fetch it again"
        )
    system = unpickle(stream, file).value
    if type(system) is not dict or system.get("little_endian") is not True:
        raise CheckpointError(f"{file}: was not saved as little-endian: save it again on a little-endian machine")
    unpickled = unpickle(stream, file)
    keys = unpickle(stream, file).value
    return unpickled.value, _starts(stream, keys, unpickled.storages, file)


def _starts(stream: IO[bytes], keys: Any, storages: dict[str, Storage], file: Path) -> dict[str, int]:
    if (
        type(keys) is not list
        or any(type(key) is not str for key in keys)
        or len(keys) != len(storages)
        or set(keys) != storages.keys()
    ):
        raise CheckpointError(f"{file}: its list of storages does not match its pickle: damaged or forged")
    position = stream.tell()
    file_size = stream.seek(0, io.SEEK_END)
    starts = {}
    for key in keys:
        stream.seek(position)
        numel = int.from_bytes(stream.read(_LENGTH_BYTES), "little")
        starts[key] = position + _LENGTH_BYTES
        position = starts[key] + storages[key].nbytes
        if position > file_size:
            raise CheckpointError(f"{file}: ends inside storage {key!r:.200}: fetch it again")
        if numel != storages[key].numel:
            raise CheckpointError(
                f"{file}: storage {key!r:.200} has {numel} elements, its pickle says {storages[key].numel}: "
                "damaged or forged"
            )
    return starts

"""Read the container of torch before 0.1.10: a tar archive of three members, `storages`, `tensors` and `pickle`.

Format: `legacy_load` in `_legacy_load` of torch/serialization.py.
"""

from __future__ import annotations

import io
import struct
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from wqscore.checkpoints.counts import are_counts
from wqscore.checkpoints.pytorch.names import PickledTensor, Storage, StorageType, StorageView
from wqscore.checkpoints.pytorch.unpickler import unpickle
from wqscore.errors import CheckpointError

_MEMBERS = ("storages", "tensors", "pickle")
#: More members than torch writes, and more axes than NumPy has.
_MAX_MEMBERS, _MAX_AXES = 16, 64
_LENGTH_BYTES = 8


def read_tar(stream: IO[bytes], file: Path) -> tuple[Any, dict[str, int]]:
    """Read the container's pickles and locate its storages.

    Returns:
        The pickled value, and each storage's first byte in the file, by key.

    Raises:
        CheckpointError: cut short, damaged, or not written by `torch.save`.
    """
    try:
        begins = _members(stream)
        if begins.keys() != set(_MEMBERS):
            raise CheckpointError(
                f"{file}: is a tar archive that torch.save did not write: unpack it and name a file in it"
            )
        stream.seek(begins["storages"])
        views, starts = _storages(stream, file)
        stream.seek(begins["tensors"])
        known: dict[str, Any] = views | dict(_tensors(stream, file, views))
        stream.seek(begins["pickle"])
        return unpickle(stream, file, known).value, starts
    except (tarfile.TarError, ValueError, TypeError, KeyError, OverflowError, struct.error) as error:
        raise CheckpointError(
            f"{file}: its tar archive can't be read ({error!s:.200}): damaged, fetch it again"
        ) from error


def _members(stream: IO[bytes]) -> dict[str, int]:
    """The first byte of each member, by name."""
    begins: dict[str, int] = {}
    with tarfile.open(fileobj=stream, mode="r:") as archive:
        for _ in range(_MAX_MEMBERS):
            if (member := archive.next()) is None:
                break
            if member.isreg() and not member.issparse():
                begins[member.name] = member.offset_data
    return begins


def _storages(stream: IO[bytes], file: Path) -> tuple[dict[str, StorageView], dict[str, int]]:
    """The storages and the views of them, by key, and each storage's first byte."""
    views: dict[str, StorageView] = {}
    starts: dict[str, int] = {}
    for key, _, kind in _records(stream, file):
        if not isinstance(kind, StorageType):
            raise ValueError("a storage is of no known type")
        numel = int.from_bytes(_read(stream, _LENGTH_BYTES), "little")
        storage = Storage(str(key), kind.dtype, numel)
        starts[storage.key] = stream.tell()
        views[storage.key] = StorageView(storage, 0, numel)
        if stream.seek(storage.nbytes, io.SEEK_CUR) > _size(stream):
            raise ValueError(f"it ends inside storage {storage.key:.50}")
    for target, root, first, numel in unpickle(stream, file).value:
        whole = views[str(root)]
        if not are_counts(first, numel) or first + numel > whole.numel:
            raise ValueError(f"a view reaches outside storage {root!s:.50}")
        views[str(target)] = StorageView(whole.storage, whole.first + first, numel)
    return views, starts


def _tensors(stream: IO[bytes], file: Path, views: Mapping[str, StorageView]) -> Iterator[tuple[str, PickledTensor]]:
    """The tensors by key; their sizes are checked by whoever uses them."""
    for key, storage, _ in _records(stream, file):
        axes, _ = struct.unpack("<ii", _read(stream, 8))
        if not 0 <= axes <= _MAX_AXES:
            raise ValueError(f"a tensor has {axes} axes")
        numbers = struct.unpack(f"<{2 * axes + 1}q", _read(stream, 8 * (2 * axes + 1)))
        view = views[str(storage)]
        yield str(key), PickledTensor(view, view.storage.dtype, numbers[-1], numbers[:axes], numbers[axes:-1])


def _records(stream: IO[bytes], file: Path) -> Iterator[tuple[Any, Any, Any]]:
    """The pickled triples that a pickled count announces; what follows each is read before the next."""
    count = unpickle(stream, file).value
    if not are_counts(count):
        raise ValueError("a count is no number")
    for _ in range(count):
        first, second, third = unpickle(stream, file).value
        yield first, second, third


def _read(stream: IO[bytes], length: int) -> bytes:
    data = stream.read(length)
    if len(data) != length:
        raise ValueError("it ends too early")
    return data


def _size(stream: IO[bytes]) -> int:
    position = stream.tell()
    size = stream.seek(0, io.SEEK_END)
    stream.seek(position)
    return size

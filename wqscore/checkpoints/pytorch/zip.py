"""Read the zip container of torch 1.6 and later: `<name>/data.pkl`, and `<name>/data/<key>` for each storage.

Format: torch/serialization.py and caffe2/serialize/inline_container.h. The standard library reads the zip
directory; the offset of an entry's bytes follows from its local header, which torch pads to align them.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import IO, Any
from zipfile import ZIP_STORED, ZipInfo
from zlib import crc32

from wqscore.checkpoints.pytorch.names import Storage
from wqscore.checkpoints.pytorch.unpickler import MAX_PICKLE_BYTES, unpickle
from wqscore.checkpoints.zip_members import content_start, zip_directory
from wqscore.errors import CheckpointError


def read_zip(stream: IO[bytes], file: Path) -> tuple[Any, dict[str, int]]:
    """Read the container's pickle and locate its storages.

    Returns:
        The pickled value, and each storage's first byte in the file, by key.

    Raises:
        CheckpointError: damaged, compressed, big-endian, TorchScript, or not written by `torch.save`.
    """
    entries = _directory(stream, file)
    prefix = _prefix(entries, file)
    if f"{prefix}/constants.pkl" in entries or any(name.startswith(f"{prefix}/code/") for name in entries):
        raise CheckpointError(f"{file}: is a TorchScript program, not a state dict: save model.state_dict()")
    byteorder = entries.get(f"{prefix}/byteorder")
    if byteorder is not None and _content(stream, byteorder, len(b"little"), file) != b"little":
        raise CheckpointError(f"{file}: was not saved as little-endian: save it again on a little-endian machine")
    pickle = _content(stream, entries[f"{prefix}/data.pkl"], MAX_PICKLE_BYTES, file)
    unpickled = unpickle(io.BytesIO(pickle), file)
    starts = {
        key: _storage_start(stream, entries.get(f"{prefix}/data/{key}"), storage, file)
        for key, storage in unpickled.storages.items()
    }
    return unpickled.value, starts


def _directory(stream: IO[bytes], file: Path) -> dict[str, ZipInfo]:
    infos = zip_directory(stream, file)
    entries = {info.filename: info for info in infos}
    if len(entries) != len(infos):
        raise CheckpointError(f"{file}: its zip directory names an entry twice: refused")
    return entries


def _prefix(entries: dict[str, ZipInfo], file: Path) -> str:
    prefixes = [name.split("/")[0] for name in entries if name.count("/") == 1 and name.endswith("/data.pkl")]
    if len(prefixes) != 1:
        raise CheckpointError(
            f"{file}: is a zip file with {len(prefixes)} data.pkl instead of one: not written by torch.save"
        )
    return prefixes[0]


def _start(stream: IO[bytes], info: ZipInfo, file: Path) -> int:
    """Find the first byte of an entry's content, which must be stored uncompressed."""
    if info.compress_type != ZIP_STORED or info.flag_bits & 1:
        raise CheckpointError(
            f"{file}: zip entry {info.filename!r:.200} is compressed or encrypted: save it again with torch.save"
        )
    return content_start(stream, info, info.file_size, file)


def _content(stream: IO[bytes], info: ZipInfo, limit: int, file: Path) -> bytes:
    if info.file_size > limit:
        raise CheckpointError(
            f"{file}: zip entry {info.filename!r:.200} has {info.file_size} bytes, more than {limit}: refused"
        )
    stream.seek(_start(stream, info, file))
    content = stream.read(info.file_size)
    # torch writes 0 if checksums are turned off.
    if info.CRC not in (0, crc32(content)):
        raise CheckpointError(f"{file}: zip entry {info.filename!r:.200} does not match its checksum: fetch it again")
    return content


def _storage_start(stream: IO[bytes], info: ZipInfo | None, storage: Storage, file: Path) -> int:
    if info is None:
        raise CheckpointError(f"{file}: has no storage {storage.key!r:.200}: damaged, fetch it again")
    start = _start(stream, info, file)
    if info.file_size != storage.nbytes:
        raise CheckpointError(
            f"{file}: storage {storage.key!r:.200} has {info.file_size} bytes, its pickle says {storage.nbytes}: "
            "damaged or forged"
        )
    return start

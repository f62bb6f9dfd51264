"""Locate the members of a zip archive as byte ranges, for NumPy and torch checkpoints."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import IO
from zipfile import BadZipFile, ZipFile, ZipInfo

from wqscore.errors import CheckpointError, reading

_LOCAL_HEADER = struct.Struct("<4s22xHH")
_UTF8_NAME = 0x800


def open_zip(stream: IO[bytes], file: Path) -> ZipFile:
    """Open an archive with the standard library.

    Raises:
        CheckpointError: the zip directory is missing or damaged.
    """
    try:
        return ZipFile(stream)
    except (BadZipFile, NotImplementedError, ValueError, OSError, OverflowError, struct.error) as error:
        raise CheckpointError(
            f"{file}: its zip directory can't be read ({error}): cut short or damaged, fetch it again"
        ) from error


def zip_directory(stream: IO[bytes], file: Path) -> list[ZipInfo]:
    """List the archive's members.

    Raises:
        CheckpointError: the zip directory is missing or damaged.
    """
    return open_zip(stream, file).infolist()


def holds_arrays(file: Path) -> bool:
    """Whether NumPy wrote an archive: all its members are `.npy` files.

    Raises:
        CheckpointError: the file can't be read, or its zip directory is damaged.
    """
    with reading(file), file.open("rb") as stream:
        members = zip_directory(stream, file)
    return bool(members) and all(member.filename.endswith(".npy") for member in members)


def content_start(stream: IO[bytes], info: ZipInfo, size: int, file: Path) -> int:
    """Find the first byte of a member's content, which follows its local header.

    Args:
        stream: the archive.
        info: the member.
        size: bytes of the content as stored.
        file: the archive, for messages.

    Raises:
        CheckpointError: the member is not where the directory says, or extends beyond the file.
    """
    where = f"{file}: zip entry {info.filename!r:.200}"
    misplaced = CheckpointError(f"{where} is not where the zip directory says: damaged, fetch it again")
    file_size = stream.seek(0, io.SEEK_END)
    if not 0 <= info.header_offset < file_size:
        raise misplaced
    stream.seek(info.header_offset)
    header = stream.read(_LOCAL_HEADER.size).ljust(_LOCAL_HEADER.size, b"\0")
    signature, name_length, extra_length = _LOCAL_HEADER.unpack(header)
    name = info.orig_filename.encode("utf-8" if info.flag_bits & _UTF8_NAME else "cp437")
    if signature != b"PK\x03\x04" or stream.read(name_length) != name:
        raise misplaced
    start: int = info.header_offset + _LOCAL_HEADER.size + name_length + extra_length
    if start + size > file_size:
        raise CheckpointError(f"{where} ends after the file: cut short, fetch it again")
    return start

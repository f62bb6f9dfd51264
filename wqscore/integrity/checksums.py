"""Compare weight files with the checksums that downloads and torch's zip files record.

The Hub's cache stores a file of Git LFS or Xet as `blobs/<its SHA-256>`, with a link to it in the commit's folder.
A download into another folder (`hf download --local-dir`) records the SHA-256 under `.cache/huggingface/download`,
with the time. torch and NumPy write a CRC-32 of each tensor into their zip files.
"""

from __future__ import annotations

import hashlib
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from zipfile import ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from wqscore.checkpoints.local import first_container
from wqscore.checkpoints.zip_members import open_zip
from wqscore.errors import read_small, reading

_CHUNK = 1 << 20
#: A note of the Hub's client has three short lines.
_MAX_NOTE = 10_000
_SHA256 = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class FileCheck:
    """The comparison of a file with its checksum.

    Attributes:
        file: its name.
        checksum: the kind of checksum; empty where none is known.
        detail: how the file differs from it; empty where it does not, or where none is known.
    """

    file: str
    checksum: Literal["sha256", "crc32", ""]
    detail: str = ""


def check_file(file: Path) -> FileCheck:
    """Compare a file with its checksum, where one is known.

    Raises:
        CheckpointError: the file can't be read.
    """
    with reading(file):
        if expected := published_sha256(file):
            with file.open("rb") as stream:
                actual = hashlib.file_digest(stream, "sha256").hexdigest()
            differs = f"its SHA-256 is {actual[:12]}…, the Hub's {expected[:12]}…: delete it and fetch it again"
            return FileCheck(file.name, "sha256", "" if actual == expected else differs)
        if first_container(file) == "zip":
            return _check_zip(file)
    return FileCheck(file.name, "")


def published_sha256(file: Path) -> str | None:
    """Return the SHA-256 that the Hub gave for a file, 64 hexadecimal digits.

    `None` where it was not recorded, or where the file was changed after it was downloaded.
    """
    stored = file.resolve()
    if stored.parent.name == "blobs" and _SHA256.fullmatch(stored.name):
        return stored.name
    note = file.parent / ".cache" / "huggingface" / "download" / f"{file.name}.metadata"
    try:
        _commit, etag, time = read_small(note, _MAX_NOTE).decode().splitlines()
        # As in huggingface_hub: the file's own time may be up to a second late.
        unchanged = file.stat().st_mtime - 1 <= float(time)
    except (OSError, ValueError):
        return None
    return etag if unchanged and _SHA256.fullmatch(etag) else None


def _check_zip(file: Path) -> FileCheck:
    with file.open("rb") as stream, open_zip(stream, file) as archive:
        entries = [info for info in archive.infolist() if _has_checksum(info)]
        if sum(info.file_size for info in entries) > file.stat().st_size:
            return FileCheck(file.name, "crc32", "its zip entries overlap: damaged, fetch the file again")
        for info in entries:
            if not _matches(archive, info):
                detail = f"{info.filename:.200} does not match its CRC-32: damaged, fetch the file again"
                return FileCheck(file.name, "crc32", detail)
    return FileCheck(file.name, "crc32" if entries else "")


def _matches(archive: ZipFile, info: ZipInfo) -> bool:
    """Whether an entry's bytes have the checksum that the archive's directory gives."""
    try:
        with archive.open(info) as stream:
            while stream.read(_CHUNK):
                pass
    # All but the first come from headers that no tool writes.
    except (BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError, struct.error):
        return False
    return True


def _has_checksum(info: ZipInfo) -> bool:
    """Whether an entry has a checksum: weights are stored uncompressed, and torch writes 0 when checksums are off."""
    return info.CRC != 0 and info.compress_type == ZIP_STORED and not info.flag_bits & 1

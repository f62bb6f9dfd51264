"""Write files of results, whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from wqscore.errors import UsageError, WqscoreError


def check_file(file: Path) -> None:
    """Fail before the scoring if the file could not be written; nothing is created.

    Raises:
        UsageError: the file's folder is missing or can't be written to, or the file is a folder or a device.
    """
    try:
        folder = file.parent
        if not folder.is_dir():
            raise UsageError(f"{file}: there is no folder {folder}: make it, or name another file")
        if file.exists() and not file.is_file():
            raise UsageError(f"{file}: is not a file: name another; --format is for standard output")
    except (OSError, ValueError) as error:
        raise UsageError(f"{file}: can't be written: {getattr(error, 'strerror', None) or error}") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"{folder}: is not yours to write to: name a file elsewhere")


def write_file(file: Path, text: str) -> None:
    """Write a file of text; characters that UTF-8 lacks, as names of files may have, are written as escapes.

    Raises:
        WqscoreError: it can't be written; a file that was there before stays as it was.
    """
    write_bytes(file, text.encode("utf-8", "backslashreplace"))


def write_bytes(file: Path, content: bytes) -> None:
    """Write a file of bytes.

    Raises:
        WqscoreError: it can't be written; a file that was there before stays as it was.
    """
    try:
        write_all(file.parent, {file.name: content})
    except OSError as error:
        raise WqscoreError(f"{file}: can't be written: {error.strerror or error}: name another file") from error


def write_all(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write files under temporary names and rename them, so that no reader ever sees half of one."""
    temporaries = {name: folder / f".{name}.{os.getpid()}" for name in contents}
    try:
        for name, temporary in temporaries.items():
            with temporary.open("xb") as stream:
                stream.write(contents[name])
                stream.flush()
                os.fsync(stream.fileno())
        for name, temporary in temporaries.items():
            temporary.replace(folder / name)
    finally:
        for temporary in temporaries.values():
            temporary.unlink(missing_ok=True)

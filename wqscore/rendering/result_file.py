"""One file of results, written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from wqscore.errors import UsageError, WqscoreError


def check_file(file: Path) -> None:
    """Find out before the scoring what would be found out after it; nothing is made.

    Raises:
        UsageError: the file's folder is not there or can't be written to, or the file is a folder or a device.
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
    """Write a file under a temporary name and rename it, so that no reader ever sees half of it.

    Raises:
        WqscoreError: it can't be written; a file that was there before stays as it was.
    """
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        try:
            with temporary.open("xb") as stream:
                # Names that no encoding has, from a file system or a checkpoint, are written as escapes.
                stream.write(text.encode("utf-8", "backslashreplace"))
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(file)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise WqscoreError(f"{file}: can't be written: {error.strerror or error}: name another file") from error

"""Write files of results, whole or not at all."""

from __future__ import annotations

import glob
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from secrets import token_hex

from wqscore.errors import UsageError, WqscoreError

#: Seconds after which a temporary file has no writer any more.
_LEFT = 3600


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


def append_to(file: Path, text: str) -> None:
    """Add text to the end of a file that several steps of a pipeline write to.

    Raises:
        WqscoreError: it can't be written.
    """
    try:
        with file.open("ab") as stream:
            stream.write(text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise WqscoreError(f"{file}: can't be written: {error.strerror or error}") from error


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
    """Write files under temporary names and rename them, so that no reader ever sees half of one.

    The names are random: what a killed process left, whose number a container gives again, is in nobody's way.
    """
    for name in contents:
        _remove_leftovers(folder, name)
    temporaries = {name: folder / f".{name}.{token_hex(8)}" for name in contents}
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


def _remove_leftovers(folder: Path, name: str) -> None:
    """Remove what killed processes left of a file, an hour ago or earlier."""
    for leftover in folder.glob(f".{glob.escape(name)}.{'[0-9a-f]' * 16}"):
        with suppress(OSError):
            if leftover.stat().st_mtime < time.time() - _LEFT:
                leftover.unlink()

"""Write a folder of results, and check before hours of scoring that it can be written."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from wqscore.errors import UsageError, WqscoreError
from wqscore.rendering.result_file import write_all


class ReportError(WqscoreError):
    """A report that could not be written."""


def check_folder(folder: Path) -> None:
    """Check that a folder can be created and written to, without creating it.

    Raises:
        UsageError: it can't.
    """
    absolute = folder.absolute()
    try:
        nearest = next(path for path in (absolute, *absolute.parents) if path.exists())
    except OSError as error:
        raise UsageError(
            f"{folder}: can't be made: {error.strerror or error}: name another folder with --out"
        ) from error
    if not nearest.is_dir():
        raise UsageError(f"{nearest}: is not a folder: name another with --out")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise UsageError(f"{nearest}: is not yours to write to: name another folder with --out")


def write_folder(folder: Path, texts: Mapping[str, str]) -> None:
    """Write files of text to a folder, all or none; create the folder if missing.

    Raises:
        ReportError: the folder can't be made or written to; existing files stay unchanged.
    """
    # Names from a file system or a checkpoint may hold characters that UTF-8 lacks: write those as escapes.
    contents = {name: text.encode("utf-8", "backslashreplace") for name, text in texts.items()}
    is_new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_all(folder, contents)
    except OSError as error:
        if is_new:
            with suppress(OSError):
                folder.rmdir()
        cause = "the disk is full" if error.errno == errno.ENOSPC else (error.strerror or str(error))
        raise ReportError(
            f"{folder}: the report can't be written: {cause}: name another folder with --out"
        ) from error

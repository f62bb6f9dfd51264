"""Whether a report can be written to a folder, asked before the hours of scoring."""

from __future__ import annotations

import os
from pathlib import Path

from wqscore.errors import UsageError


def check_folder(folder: Path) -> None:
    """Check that a folder can be made and written to; nothing is made.

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

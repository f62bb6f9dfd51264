"""Scripts that take a second to put together, kept in the user's cache folder for the next page.

What is kept runs in the browsers of those who read a report. So it counts only if nobody but this user could have
written it, and if its digest is right; otherwise it is made anew.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from wqscore.cache_folder import cache_folder, home_folder

#: What others may do to a file or a folder that is trusted: not write to it.
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_DIGEST = 64


def standard_folder() -> Path | None:
    """Return the folder of kept scripts; `None` for a user without a home."""
    cache = cache_folder(os.environ, sys.platform, home_folder())
    return cache / "scripts" if cache else None


def kept_script(name: str, make: Callable[[], str]) -> str:
    """Return a kept script, or make and keep it; what can't be read or written costs time only.

    Args:
        name: of the file; it says all that decides the script.
        make: puts the script together.
    """
    folder = standard_folder()
    if folder is None:
        return make()
    file = folder / name
    script = _read(file)
    if script is None:
        script = make()
        with suppress(OSError):
            _write(file, script)
    return script


def _read(file: Path) -> str | None:
    """The script of a file whose digest is right and that only this user can have written."""
    try:
        if not (_is_own(file.parent, stat.S_ISDIR) and _is_own(file, stat.S_ISREG)):
            return None
        content = file.read_bytes()
    except OSError:
        return None
    digest, script = content[:_DIGEST], content[_DIGEST:]
    if digest != hashlib.sha256(script).hexdigest().encode():
        return None
    return script.decode()


def _is_own(path: Path, is_kind: Callable[[int], bool]) -> bool:
    found = path.lstat()
    if not is_kind(found.st_mode):
        return False
    user = getattr(os, "geteuid", None)
    if user is None:  # the user's profile is closed to others
        return True
    return found.st_uid == user() and not found.st_mode & _WRITABLE_BY_OTHERS


def _write(file: Path, script: str) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    content = script.encode()
    handle, name = tempfile.mkstemp(dir=file.parent)  # readable and writable by this user alone
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(hashlib.sha256(content).hexdigest().encode() + content)
        Path(name).replace(file)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise

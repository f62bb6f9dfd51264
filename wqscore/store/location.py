"""Where the store is when nobody says."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from wqscore.store.errors import StoreError


def standard_path() -> Path:
    """Where the store of this user is.

    Raises:
        StoreError: the user has no folder of their own.
    """
    try:
        home = Path.home()
    except RuntimeError:
        home = None
    return default_path(os.environ, sys.platform, home)


def default_path(environment: Mapping[str, str], platform: str, home: Path | None) -> Path:
    """WQSCORE_STORE, or else `wqscore/store.sqlite` in the user's cache folder.

    Args:
        environment: variables; XDG_CACHE_HOME counts where it is absolute, as its specification says
            (https://specifications.freedesktop.org/basedir-spec/latest/).
        platform: as in `sys.platform`.
        home: the user's folder, `None` without one.

    Raises:
        StoreError: the folder is needed, and there is none.

    Example:
        >>> default_path({"XDG_CACHE_HOME": "/cache"}, "linux", Path("/home/me")).as_posix()
        '/cache/wqscore/store.sqlite'
    """
    if environment.get("WQSCORE_STORE"):
        return Path(environment["WQSCORE_STORE"])
    return _cache_folder(environment, platform, home) / "wqscore" / "store.sqlite"


def _cache_folder(environment: Mapping[str, str], platform: str, home: Path | None) -> Path:
    if platform == "win32" and environment.get("LOCALAPPDATA"):
        return Path(environment["LOCALAPPDATA"])
    asked = Path(environment.get("XDG_CACHE_HOME", ""))
    if asked.is_absolute():
        return asked
    if home is None:
        raise StoreError("there is no home folder for a store: name one with --store, or by WQSCORE_STORE")
    return home / ("Library/Caches" if platform == "darwin" else ".cache")

"""The default location of the store."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from wqscore.stores.errors import StoreError


def standard_path() -> Path:
    """Return the default path of this user's store.

    Raises:
        StoreError: the user has no home folder.
    """
    try:
        home = Path.home()
    except RuntimeError:
        home = None
    return default_path(os.environ, sys.platform, home)


def default_path(environment: Mapping[str, str], platform: str, home: Path | None) -> Path:
    """Return WQSCORE_STORE if set, otherwise `wqscore/store.sqlite` in the user's cache folder.

    Args:
        environment: variables; XDG_CACHE_HOME counts where it is absolute, as its specification says
            (https://specifications.freedesktop.org/basedir-spec/latest/).
        platform: as in `sys.platform`.
        home: the user's home folder, `None` without one.

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
    cache = Path(environment.get("XDG_CACHE_HOME", ""))
    if cache.is_absolute():
        return cache
    if home is None:
        raise StoreError("no home folder for the store: pass --store, or set WQSCORE_STORE")
    return home / ("Library/Caches" if platform == "darwin" else ".cache")

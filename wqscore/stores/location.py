"""The default location of the store."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from wqscore.cache_folder import cache_folder, home_folder
from wqscore.stores.errors import StoreError


def standard_path() -> Path:
    """Return the default path of this user's store.

    Raises:
        StoreError: the user has no home folder.
    """
    return default_path(os.environ, sys.platform, home_folder())


def default_path(environment: Mapping[str, str], platform: str, home: Path | None) -> Path:
    """Return WQSCORE_STORE if set, otherwise `wqscore/store.sqlite` in the user's cache folder.

    Args:
        environment: variables, as for `cache_folder`.
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
    cache = cache_folder(environment, platform, home)
    if cache is None:
        raise StoreError("no home folder for the store: pass --store, or set WQSCORE_STORE")
    return cache / "store.sqlite"

"""Where this user's programs keep what can be made again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def cache_folder(environment: Mapping[str, str], platform: str, home: Path | None) -> Path | None:
    """Return wqscore's folder in the user's cache folder; `None` where the user has neither that nor a home.

    Args:
        environment: variables; XDG_CACHE_HOME counts where it is absolute, as its specification says
            (https://specifications.freedesktop.org/basedir-spec/latest/).
        platform: as in `sys.platform`.
        home: the user's home folder, `None` without one.

    Example:
        >>> cache_folder({"XDG_CACHE_HOME": "/cache"}, "linux", Path("/home/me")).as_posix()
        '/cache/wqscore'
    """
    if platform == "win32" and environment.get("LOCALAPPDATA"):
        return Path(environment["LOCALAPPDATA"]) / "wqscore"
    cache = Path(environment.get("XDG_CACHE_HOME", ""))
    if cache.is_absolute():
        return cache / "wqscore"
    if home is None:
        return None
    return home / ("Library/Caches" if platform == "darwin" else ".cache") / "wqscore"


def home_folder() -> Path | None:
    """Return the user's home folder, `None` without one."""
    try:
        return Path.home()
    except RuntimeError:
        return None

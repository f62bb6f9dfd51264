"""The folder of a site: what of it the site wrote itself, reading it back, and writing the next night."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from wqscore.leaderboard.errors import SiteError
from wqscore.leaderboard.history import History, parse_history
from wqscore.rendering.folder import ReportError, check_folder
from wqscore.rendering.json import json_text
from wqscore.rendering.result_file import write_all

HISTORY = "data/history.json"
#: The files of the site: what is listed may be written over and removed, and nothing else.
MANIFEST = "data/files.json"
_KIND = "wqscore leaderboard"
_OWN_PATH = re.compile(r"([a-z0-9][a-z0-9._-]*/){0,3}[a-z0-9][a-z0-9._~-]*")

#: Files by path from the site's folder, each made when it is written.
Files = Mapping[str, Callable[[], str]]


def check_site_folder(folder: Path) -> None:
    """Find out before the scoring whether a site can be written there; nothing is made.

    Raises:
        UsageError: it can't, or there is something else in the folder.
    """
    check_folder(folder)
    if folder.is_dir() and not (folder / MANIFEST).is_file() and any(folder.iterdir()):
        raise SiteError(f"{folder}: has files in it and is no leaderboard: name another folder with --out")
    listed_files(folder)


def listed_files(folder: Path) -> tuple[str, ...]:
    """The files that the site in a folder consists of; none where there is no site yet.

    Raises:
        SiteError: the list is damaged, or was written by something else.
    """
    file = folder / MANIFEST
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        names = document["files"]
        if document["kind"] != _KIND or type(names) is not list or not all(map(_is_own, names)):
            raise ValueError("it lists what is no file of a site")
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise SiteError(f"{file}: is no list of a site's files ({error}): name another folder with --out") from error
    return tuple(names)


def read_history(folder: Path) -> History:
    """The nights of before; an empty history where there is none.

    Raises:
        SiteError: the file is damaged, or was written by something else.
    """
    file = folder / HISTORY
    try:
        return parse_history(file.read_text(encoding="utf-8"), str(file))
    except FileNotFoundError:
        return History()
    except (OSError, ValueError) as error:
        raise SiteError(f"{file}: can't be read ({error}): nothing was written") from error


def write_site(folder: Path, files: Files, kept: Sequence[str] = ()) -> None:
    """Write a site: each file whole or not at all, the history last, and then remove what it no longer has.

    The list of files is written first, with the old ones in it: a build that was cut off leaves nothing that the
    next does not know for the site's own. A file that has not changed is left alone.

    Args:
        folder: made if need be.
        files: all files but the list.
        kept: files of the last night that stay as they are.

    Raises:
        SiteError: something that the site did not write is in the way; nothing was written.
        ReportError: the folder can't be written to.
    """
    old = listed_files(folder)
    foreign = [name for name in files if name not in {*old, *kept} and (folder / name).exists()]
    if foreign:
        raise SiteError(f"{folder / foreign[0]}: was not written by the site: move it away")
    names = {*files, *kept}
    try:
        _write(folder, MANIFEST, _manifest({*names, *old}))
        for name in (name for name in files if name != HISTORY):
            _write(folder, name, files[name]())
        # Once for thousands of files, each of which would wait for the disk: the history tells of nothing that a
        # power cut could still take.
        if hasattr(os, "sync"):
            os.sync()
        write_all(folder / "data", {"history.json": files[HISTORY]().encode("utf-8", "backslashreplace")})
        for name in set(old) - names:
            with suppress(FileNotFoundError):
                (folder / name).unlink()
        _write(folder, MANIFEST, _manifest(names))
    except OSError as error:
        raise ReportError(f"{folder}: the site can't be written: {error.strerror or error}: run it again") from error


def _is_own(name: object) -> bool:
    return isinstance(name, str) and _OWN_PATH.fullmatch(name) is not None


def _manifest(names: set[str]) -> str:
    return json_text({"kind": _KIND, "files": sorted(names)})


def _write(folder: Path, name: str, text: str) -> None:
    """Write a file under a temporary name and rename it, unless it is there as it should be."""
    file, content = folder / name, text.encode("utf-8", "backslashreplace")
    with suppress(FileNotFoundError):
        if file.stat().st_size == len(content) and file.read_bytes() == content:
            return
    file.parent.mkdir(parents=True, exist_ok=True)
    # Of one name: what a build that was killed leaves is gone with the next.
    temporary = folder / ".new"
    try:
        temporary.write_bytes(content)
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)

"""A site's folder: list the files that the site wrote, read its history, and write the next night."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath

from wqscore.errors import read_small
from wqscore.leaderboards.errors import SiteError
from wqscore.leaderboards.history import History, parse_history
from wqscore.rendering.folder import ReportError, check_folder
from wqscore.rendering.json import json_text
from wqscore.rendering.result_file import write_all

HISTORY = "data/history.json"
#: The list of the site's files; only these may be overwritten or removed.
MANIFEST = "data/files.json"
_KIND = "wqscore leaderboard"
_OWN_PATH = re.compile(r"([a-z0-9][a-z0-9._-]*/){0,3}[A-Za-z0-9][A-Za-z0-9._~-]*")

#: For each file, by its path relative to the site's folder, the function that makes its text.
Files = Mapping[str, Callable[[], str]]
#: A table of a site with many thousand models.
MAX_TABLE = 1 << 28


def check_site_folder(folder: Path) -> None:
    """Check before scoring that a site can be written to a folder; nothing is created.

    Raises:
        UsageError: it can't be written, or the folder has other files.
    """
    check_folder(folder)
    if folder.is_dir() and not (folder / MANIFEST).is_file() and any(folder.iterdir()):
        raise SiteError(f"{folder}: has files in it and is not a leaderboard: name another folder with --out")
    listed_files(folder)


def listed_files(folder: Path) -> tuple[str, ...]:
    """Return the files of the site in a folder; none where there is no site yet.

    Raises:
        SiteError: the list is damaged, or was written by something else.
    """
    file = folder / MANIFEST
    try:
        document = json.loads(read_small(file).decode())
        names = document["files"]
        if document["kind"] != _KIND or type(names) is not list or not all(map(_is_own, names)):
            raise ValueError("it lists a path that is not a site's file")
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise SiteError(f"{file}: is no list of a site's files ({error}): name another folder with --out") from error
    return tuple(names)


def read_history(folder: Path) -> History:
    """Return the history of earlier nights; empty where there is none.

    Raises:
        SiteError: the file is damaged, or was written by something else.
    """
    file = folder / HISTORY
    try:
        return parse_history(read_small(file, MAX_TABLE).decode(), str(file))
    except FileNotFoundError:
        return History()
    except (OSError, ValueError) as error:
        raise SiteError(f"{file}: can't be read ({error}): nothing was written") from error


def write_site(folder: Path, files: Files, kept: Sequence[str] = ()) -> None:
    """Write a site, each file atomically and the history last; then remove files that it no longer has.

    The list of files is written first and includes the old ones, so that the next build recognises every file even
    if this build is interrupted. A file that has not changed is not written.

    Args:
        folder: created where missing.
        files: all files except the list.
        kept: files of the last night that stay unchanged.

    Raises:
        SiteError: a file that the site did not write is in the way; nothing was written.
        ReportError: the folder can't be written to.
    """
    old = listed_files(folder)
    foreign = [name for name in files if name not in {*old, *kept} and (folder / name).exists()]
    if foreign:
        raise SiteError(f"{folder / foreign[0]}: was not written by the site: move it away")
    names = {*files, *kept}
    _check_inside(folder, {*names, *old, MANIFEST})
    try:
        _write(folder, MANIFEST, _manifest({*names, *old}))
        for name in (name for name in files if name != HISTORY):
            _write(folder, name, files[name]())
        # Sync once for thousands of files rather than once for each, and before the history is written, so that it
        # lists nothing that a power failure could lose.
        if hasattr(os, "sync"):
            os.sync()
        write_all(folder / "data", {"history.json": files[HISTORY]().encode("utf-8", "backslashreplace")})
        for name in set(old) - names:
            with suppress(FileNotFoundError):
                (folder / name).unlink()
        _write(folder, MANIFEST, _manifest(names))
    except OSError as error:
        raise ReportError(f"{folder}: the site can't be written: {error.strerror or error}: run it again") from error


def _check_inside(folder: Path, names: Collection[str]) -> None:
    """Refuse a folder of the site that links elsewhere: files would be written, and removed, that are not the site's.

    Raises:
        SiteError: one does, or can't be looked at.
    """
    for below in {str(PurePosixPath(name).parent) for name in names}:
        try:
            if (folder / below).resolve().is_relative_to(folder.resolve()):
                continue
        except (OSError, RuntimeError):  # a link to itself
            pass
        raise SiteError(f"{folder / below}: is a link to another place: nothing was written; remove it")


def _is_own(name: object) -> bool:
    return isinstance(name, str) and _OWN_PATH.fullmatch(name) is not None


def _manifest(names: set[str]) -> str:
    return json_text({"kind": _KIND, "files": sorted(names)})


def _write(folder: Path, name: str, text: str) -> None:
    """Write a file under a temporary name and rename it, unless its content is the same already."""
    file, content = folder / name, text.encode("utf-8", "backslashreplace")
    with suppress(FileNotFoundError):
        if file.stat().st_size == len(content) and file.read_bytes() == content:
            return
    file.parent.mkdir(parents=True, exist_ok=True)
    # Always the same name, so that the next build removes what a killed one left; no link of that name is followed.
    temporary = folder / ".new"
    temporary.unlink(missing_ok=True)
    try:
        with temporary.open("xb") as stream:
            stream.write(content)
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)

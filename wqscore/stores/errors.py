"""Errors of the store: SQLite's and the system's errors as one line that says what to do."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wqscore.errors import WqscoreError

_DAMAGED = {"SQLITE_CORRUPT", "SQLITE_NOTADB"}
_MOVE = "move it away, and a new one is made"
_ADVICE = {
    "SQLITE_FULL": "the disk is full: free some space, or name another store",
    "SQLITE_BUSY": "another process keeps it locked: try again later, or name another store",
    "SQLITE_LOCKED": "another process keeps it locked: try again later, or name another store",
    "SQLITE_PROTOCOL": "can't be locked, as on a network disk: name a store on a local disk",
    "SQLITE_READONLY": "you may not write to it: name another store",
    "SQLITE_PERM": "you may not write to it: name another store",
    "SQLITE_CANTOPEN": "can't be opened, or you may not write to its folder: name another store",
    "SQLITE_IOERR": "the disk could not read or write it: free some space, or name another store",
}


class StoreError(WqscoreError):
    """A store that can't be opened, read, written or trusted."""


@contextmanager
def as_store_error(path: Path) -> Iterator[None]:
    """Raise errors of SQLite and of the system as a `StoreError` of one line.

    Raises:
        StoreError: in place of an error of SQLite or of the system.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(f"{path}: {_worded(error)}") from error
    except UnicodeDecodeError as error:
        # `sqlite3` raises this when SQLite's message quotes damaged text.
        raise StoreError(f"{path}: is damaged: {_MOVE}") from error
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror or error}: name another store") from error


def _worded(error: sqlite3.Error) -> str:
    # An extended code, SQLITE_IOERR_WRITE, begins with the plain one.
    code = "_".join(getattr(error, "sqlite_errorname", "").split("_")[:2])
    if code in _ADVICE:
        return _ADVICE[code]
    if code in _DAMAGED or isinstance(error, sqlite3.DataError | sqlite3.IntegrityError | sqlite3.OperationalError):
        return f"is damaged ({error}): {_MOVE}"
    return f"can't be used: {error}: name another store"

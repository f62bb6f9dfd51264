"""The store's tables; create a new store, and check that a file is a store.

    keys      a row per SpectrumKey
    spectra   its eigenvalues
    results   values computed from it, by method, parameters and version
    files     the contents of the tensors in a file on disk, by path; valid while the file's stamp is the same
    headers   the parsed header of a shard on the Hub, by what names its content
    models    the models scored, when, and the contents of their tensors

A store into which another was merged has two more:

    merges    each merge: the other store's file, the machine, and when
    merged    which keys have rows that came with which merge

Text is ASCII, other characters as Python escapes them; values are JSON; eigenvalues are little-endian float64; times
are whole seconds since 1970. Each row except those of `keys` and `merged` has a checksum over its key and its value,
so that damaged rows are detected and ignored.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from uuid import uuid4

from wqscore.stores.errors import StoreError

#: "wqsc", in the header of every store (https://www.sqlite.org/pragma.html#pragma_application_id).
APPLICATION_ID = 0x77717363
#: Raised by 1 with every change of the tables.
SCHEMA_VERSION = 1
#: Bytes of a page of a new store. A row of results has about 1,000, just over what a page of 4,096, SQLite's default,
#: keeps of a row: each would take a page of its own for the rest (benchmarks/README.md, `store_at_scale.py`).
PAGE_BYTES = 8192

_TABLES = {
    "keys": "CREATE TABLE keys (id INTEGER PRIMARY KEY, content TEXT NOT NULL, part TEXT NOT NULL, "
    "recipe TEXT NOT NULL, created INTEGER NOT NULL, UNIQUE (content, part, recipe))",
    "spectra": "CREATE TABLE spectra (key INTEGER PRIMARY KEY, rows INTEGER NOT NULL, columns INTEGER NOT NULL, "
    "slices INTEGER NOT NULL, unit_roundoff REAL NOT NULL, state TEXT NOT NULL, eigenvalues BLOB NOT NULL, "
    "checksum BLOB NOT NULL)",
    "results": "CREATE TABLE results (key INTEGER NOT NULL, method TEXT NOT NULL, parameters TEXT NOT NULL, "
    "version INTEGER NOT NULL, value TEXT NOT NULL, checksum BLOB NOT NULL, "
    "PRIMARY KEY (key, method, parameters, version)) WITHOUT ROWID",
    "files": "CREATE TABLE files (path TEXT PRIMARY KEY, stamp TEXT NOT NULL, contents TEXT NOT NULL, "
    "checksum BLOB NOT NULL)",
    "headers": "CREATE TABLE headers (shard TEXT PRIMARY KEY, tensors TEXT NOT NULL, checksum BLOB NOT NULL)",
    "models": "CREATE TABLE models (label TEXT NOT NULL, revision TEXT NOT NULL, seen INTEGER NOT NULL, "
    "contents TEXT NOT NULL, checksum BLOB NOT NULL, PRIMARY KEY (label, revision))",
}
#: Made by the first merge; a store without them can be opened by version 0.5.0.
MERGE_TABLES = {
    "merges": "CREATE TABLE merges (id INTEGER PRIMARY KEY, source TEXT NOT NULL, host TEXT NOT NULL, "
    "time INTEGER NOT NULL, checksum BLOB NOT NULL)",
    "merged": "CREATE TABLE merged (key INTEGER NOT NULL, merge INTEGER NOT NULL, PRIMARY KEY (key, merge)) "
    "WITHOUT ROWID",
}


def make_store(path: Path) -> None:
    """Create an empty store, and its folder; leave a file that is already there unchanged.

    The store is completed under another name and then linked, so that no process sees an incomplete one.

    Raises:
        OSError, sqlite3.Error: it can't be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        with closing(sqlite3.connect(temporary, isolation_level=None)) as connection:
            connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
            connection.execute("BEGIN")
            for table in _TABLES.values():
                connection.execute(table)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            connection.execute("COMMIT")
            connection.execute("PRAGMA journal_mode = WAL")
        with suppress(FileExistsError):
            # Unless another process creates it first.
            _link_or_copy(temporary, path)
    finally:
        for leftover in ("", "-journal", "-wal", "-shm"):
            temporary.with_name(temporary.name + leftover).unlink(missing_ok=True)


def _link_or_copy(complete: Path, path: Path) -> None:
    """Give a complete store its name, unless that is taken; by a copy where the file system has no hard links.

    Raises:
        FileExistsError: the name is taken.
    """
    try:
        os.link(complete, path)
    except FileExistsError:
        raise
    except OSError:
        # exFAT, many network file systems and containers have none. A reader may see the copy while it is written.
        with complete.open("rb") as source, path.open("xb") as target:
            shutil.copyfileobj(source, target)


def check_store(connection: sqlite3.Connection, path: Path) -> None:
    """Check that an open database is a store of this version's schema.

    Raises:
        StoreError: it is not a store, or a store of another version.
        sqlite3.Error: it is not a database, or a damaged one.
    """
    try:
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorname", "") == "SQLITE_NOTADB":
            raise StoreError(f"{path}: is not a store of wqscore: name another store") from error
        raise
    if application != APPLICATION_ID:
        raise StoreError(f"{path}: is not a store of wqscore: name another store")
    if version > SCHEMA_VERSION:
        raise StoreError(f"{path}: was made by a newer wqscore: update wqscore, or name another store")
    found = dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))
    if version != SCHEMA_VERSION or found not in (_TABLES, _TABLES | MERGE_TABLES):
        raise StoreError(f"{path}: has tables that wqscore does not know: move it away, and a new one is made")

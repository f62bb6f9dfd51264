"""Which rows came with a merge: what another store vouches for, until it is computed here.

The two tables are made by the first merge, so that a store without one has the tables of version 0.5.0. A mark has no
checksum: that it is there is all that counts.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection

from wqscore.stores import rows
from wqscore.stores.records import Origin, SpectrumKey
from wqscore.stores.schema import MERGE_TABLES

_THIS_KEY = "SELECT id FROM keys WHERE content = ? AND part = ? AND recipe = ?"
#: Holds for the keys under which nothing came with a merge.
IS_OWN = "NOT EXISTS (SELECT 1 FROM merged WHERE merged.key = k.id)"


def has_merges(connection: sqlite3.Connection) -> bool:
    """Whether anything was ever merged into the store."""
    query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'merged'"
    return connection.execute(query).fetchone() is not None


def mark(writer: sqlite3.Connection, keys: Collection[SpectrumKey], origin: Origin) -> None:
    """Note that rows under these keys came with a merge."""
    if not has_merges(writer):
        for table in MERGE_TABLES.values():
            writer.execute(table)
    fields = rows.origin_fields(origin)
    found = writer.execute("SELECT id FROM merges WHERE source = ? AND host = ? AND time = ?", fields).fetchone()
    if found is None:
        writer.execute("INSERT INTO merges (source, host, time, checksum) VALUES (?, ?, ?, ?)", rows.sealed(fields))
        found = writer.execute("SELECT last_insert_rowid()").fetchone()
    marks = [(*rows.key_fields(key), *found) for key in keys]
    writer.executemany(f"INSERT OR IGNORE INTO merged VALUES (({_THIS_KEY}), ?)", marks)


def claim(writer: sqlite3.Connection, keys: Collection[SpectrumKey]) -> None:
    """Forget what came with merges under keys whose spectra have been solved here: rows and marks."""
    if not has_merges(writer):
        return
    for key in keys:
        found = writer.execute(_THIS_KEY, rows.key_fields(key)).fetchone()
        if found is not None and writer.execute("DELETE FROM merged WHERE key = ?", found).rowcount:
            writer.execute("DELETE FROM results WHERE key = ?", found)


def forget_deleted(writer: sqlite3.Connection) -> None:
    """Delete the marks of deleted keys, and the merges of which nothing is left."""
    if has_merges(writer):
        writer.execute("DELETE FROM merged WHERE key NOT IN (SELECT id FROM keys)")
        writer.execute("DELETE FROM merges WHERE id NOT IN (SELECT merge FROM merged)")


def origins(reader: sqlite3.Connection) -> tuple[dict[Origin, int], int]:
    """The merges of which rows are left, each with its number of keys; and how many of their records are damaged."""
    if not has_merges(reader):
        return {}, 0
    query = (
        "SELECT m.source, m.host, m.time, m.checksum, count(*) FROM merges AS m JOIN merged ON merged.merge = m.id "
        "GROUP BY m.id ORDER BY m.time, m.source"
    )
    found: dict[Origin, int] = {}
    damaged = 0
    for *fields, count in reader.execute(query):
        origin = rows.opened(fields, rows.origin_record)
        damaged += origin is None
        if origin is not None:
            found[origin] = found.get(origin, 0) + count
    return found, damaged


def origins_of(reader: sqlite3.Connection, keys: Collection[SpectrumKey]) -> dict[Origin, list[SpectrumKey]]:
    """The merges that rows under these keys came with, each with its keys."""
    found: dict[Origin, list[SpectrumKey]] = {}
    if not has_merges(reader):
        return found
    query = (
        "SELECT m.source, m.host, m.time, m.checksum FROM merged JOIN merges AS m ON m.id = merged.merge "
        f"WHERE merged.key = ({_THIS_KEY})"
    )
    for key in keys:
        for fields in reader.execute(query, rows.key_fields(key)):
            if (origin := rows.opened(fields, rows.origin_record)) is not None:
                found.setdefault(origin, []).append(key)
    return found

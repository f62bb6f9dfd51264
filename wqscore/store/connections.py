"""Connections to one store: one that writes, and as many that read as threads read at a time."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Lock

from wqscore.store.errors import StoreError, told
from wqscore.store.schema import check_store, make_store

#: How long to wait for other processes that write, in seconds.
_PATIENCE = 60.0


class Connections:
    """Lends connections to the threads of one process, of which one writes at a time."""

    def __init__(self, path: Path, writable: bool) -> None:
        self._path = path
        # The working folder may change.
        self._file = path.absolute()
        self._mode = "ro"
        self._idle: list[sqlite3.Connection] = []
        self._lock = Lock()
        self._writer: sqlite3.Connection | None = None
        with told(path):
            if path.exists():
                if not path.is_file():
                    raise StoreError(f"{path}: is not a file: name another store")
                if path.stat().st_size == 0:
                    raise StoreError(f"{path}: is empty: delete it, or name another store")
            elif writable:
                make_store(path)
            else:
                raise StoreError(f"{path}: there is no store: name another")
            # Read-only, so that what is no store is left as it is. Not by opening the file and closing it: that
            # would free the locks that this process has on it (https://www.sqlite.org/howtocorrupt.html, 2.2).
            with closing(self._connect()) as connection:
                check_store(connection, path)
            if writable:
                self._mode = "rw"
                self._writer = self._connect_writer()

    def close(self) -> None:
        """Close them all."""
        connections = [*self._idle, *([self._writer] if self._writer else [])]
        self._idle, self._writer = [], None
        for connection in connections:
            # What is committed stays in the write-ahead log if it can't be moved into the file now.
            with suppress(sqlite3.Error):
                connection.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection to read with.

        Raises:
            StoreError: the store can't be read.
        """
        with told(self._path):
            try:
                connection = self._idle.pop()
            except IndexError:
                connection = self._connect()
            try:
                yield connection
            finally:
                self._idle.append(connection)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Lend the connection that writes, in a transaction that is committed at the end: all of it, or nothing.

        Raises:
            StoreError: the store can't be written.
        """
        with self.alone() as writer:
            try:
                writer.execute("BEGIN IMMEDIATE")
                yield writer
                writer.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    writer.execute("ROLLBACK")
                raise

    @contextmanager
    def alone(self) -> Iterator[sqlite3.Connection]:
        """Lend the connection that writes, without a transaction.

        Raises:
            StoreError: the store can't be written, or was opened to be read.
        """
        with self._lock, told(self._path):
            if self._writer is None:
                raise StoreError(f"{self._path}: was opened to be read, not written")
            yield self._writer

    def _connect_writer(self) -> sqlite3.Connection:
        writer = self._connect()
        try:
            # What is committed outlives a killed process; the last of it may be lost with the machine's power.
            writer.execute("PRAGMA synchronous = NORMAL")
            # Whether it can be written is found out now, not after the first hour of solving.
            writer.execute("BEGIN IMMEDIATE")
            writer.execute("ROLLBACK")
        except BaseException:
            writer.close()
            raise
        return writer

    def _connect(self) -> sqlite3.Connection:
        mode = self._mode
        if mode == "ro" and self._is_still():
            mode += "&immutable=1"
        connection = sqlite3.connect(
            f"{self._file.as_uri()}?mode={mode}",
            uri=True,
            timeout=_PATIENCE,
            isolation_level=None,
            check_same_thread=False,
        )
        # Damage may be in any text, and is found by the checksums.
        connection.text_factory = lambda raw: raw.decode("utf-8", "backslashreplace")
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
        return connection

    def _is_still(self) -> bool:
        """Whether nobody writes it and it can't be locked: someone else's, in a folder that is not ours."""
        log = self._file.with_name(f"{self._file.name}-wal")
        return not os.access(self._file.parent, os.W_OK) and not log.exists()

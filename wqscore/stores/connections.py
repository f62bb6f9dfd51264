"""Connections to one store: one that writes, and one per thread that is reading."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Lock

from wqscore.stores.errors import StoreError, as_store_error
from wqscore.stores.schema import check_store, make_store

#: How long to wait for other processes that write, in seconds.
_TIMEOUT = 5.0
#: More bytes than any spectrum has; a longer field is refused before it is read.
_MAX_FIELD = 2**28


class Connections:
    """Lends connections to the threads of one process, of which one writes at a time."""

    def __init__(self, path: Path, writable: bool) -> None:
        self._path = path
        # Absolute, since the working folder may change.
        self._file = path.absolute()
        self._mode = "ro"
        self._idle: list[sqlite3.Connection] = []
        self._lock = Lock()
        self._writer: sqlite3.Connection | None = None
        with as_store_error(path):
            if path.exists():
                if not path.is_file():
                    raise StoreError(f"{path}: is not a file: name another store")
                if path.stat().st_size == 0:
                    raise StoreError(f"{path}: is empty: delete it, or name another store")
            elif writable:
                make_store(path)
            else:
                raise StoreError(f"no store at {path}: name another")
            # Check through a read-only connection, which leaves a file that is no store unchanged. Opening and
            # closing the file would free this process's locks on it (https://www.sqlite.org/howtocorrupt.html, 2.2).
            with closing(self._connect()) as connection:
                check_store(connection, path)
            if writable:
                self._mode = "rw"
                self._writer = self._connect_writer()

    def close(self) -> None:
        """Close all connections."""
        connections = [*self._idle, *([self._writer] if self._writer else [])]
        self._idle, self._writer = [], None
        for connection in connections:
            # Committed data stays in the write-ahead log if it can't be moved into the file now.
            with suppress(sqlite3.Error):
                connection.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection for reading.

        Raises:
            StoreError: the store can't be read.
        """
        with as_store_error(self._path):
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
        """Lend the connection that writes, in a transaction that is committed at the end or rolled back on an error.

        Raises:
            StoreError: the store can't be written.
        """
        with self.writing_without_transaction() as writer:
            try:
                writer.execute("BEGIN IMMEDIATE")
                yield writer
                writer.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    writer.execute("ROLLBACK")
                raise

    @contextmanager
    def writing_without_transaction(self) -> Iterator[sqlite3.Connection]:
        """Lend the connection that writes, without a transaction.

        Raises:
            StoreError: the store can't be written, or was opened read-only.
        """
        with self._lock, as_store_error(self._path):
            if self._writer is None:
                raise StoreError(f"{self._path}: was opened read-only: open it with writable=True")
            yield self._writer

    def _connect_writer(self) -> sqlite3.Connection:
        writer = self._connect()
        try:
            # Committed data survives a killed process; a power failure may lose the last of it.
            writer.execute("PRAGMA synchronous = NORMAL")
            # Fail now if the store can't be written, not after an hour of solving.
            writer.execute("BEGIN IMMEDIATE")
            writer.execute("ROLLBACK")
        except BaseException:
            writer.close()
            raise
        return writer

    def _connect(self) -> sqlite3.Connection:
        mode = self._mode
        if mode == "ro" and self._is_immutable():
            mode += "&immutable=1"
        connection = sqlite3.connect(
            f"{self._file.as_uri()}?mode={mode}",
            uri=True,
            timeout=_TIMEOUT,
            isolation_level=None,
            check_same_thread=False,
        )
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MAX_FIELD)
        # Damaged text must decode, so that its checksum can reveal the damage.
        connection.text_factory = lambda raw: raw.decode("utf-8", "backslashreplace")
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
        return connection

    def _is_immutable(self) -> bool:
        """Whether nobody is writing the store and it can't be locked, since its folder is not writable."""
        log = self._file.with_name(f"{self._file.name}-wal")
        return not os.access(self._file.parent, os.W_OK) and not log.exists()

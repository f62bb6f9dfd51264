"""The open store: get and put spectra, results, files, headers and models."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from types import MappingProxyType, TracebackType
from typing import Any, TypeVar

from wqscore.spectra.spectrum import Spectrum
from wqscore.stores import origins, rows
from wqscore.stores.connections import Connections
from wqscore.stores.errors import as_store_error
from wqscore.stores.records import (
    FileStamp,
    HeaderTensor,
    Method,
    Origin,
    ResultKey,
    SeenModel,
    SpectrumKey,
    Value,
    last_scored_first,
)

Record = TypeVar("Record")

_KEY = "k.content, k.part, k.recipe"
_SPECTRUM = f"{_KEY}, s.rows, s.columns, s.slices, s.unit_roundoff, s.state, s.eigenvalues, s.checksum"
_RESULT = f"{_KEY}, r.method, r.parameters, r.version, r.value, r.checksum"
#: The requested keys; with CROSS JOIN SQLite looks up each of them rather than scan the table.
_REQUESTED = (
    "json_each(?) AS requested CROSS JOIN keys AS k ON k.content = json_extract(requested.value, '$[0]') "
    "AND k.part = json_extract(requested.value, '$[1]') AND k.recipe = json_extract(requested.value, '$[2]')"
)
_THIS_KEY = "SELECT id FROM keys WHERE content = ? AND part = ? AND recipe = ?"
_NOTHING: Mapping[Any, Any] = MappingProxyType({})


class Store:
    """An open store; close it, or use it in a `with` statement.

    Any thread may call any method, and other processes may have the same store open. Each write is one transaction,
    one at a time; readers never wait, and see what was committed before their query. A forked process must open the
    store again. Every method raises `StoreError` where the file can't be read or written. A row that fails its
    checksum is counted in `damaged` and otherwise treated as absent; writing it again repairs it.
    """

    def __init__(self, path: Path, connections: Connections) -> None:
        """Used by `open`."""
        self.path = path
        # Absolute, since the working folder may change.
        self._file = path.absolute()
        self._connections = connections
        self._damaged: Counter[str] = Counter()
        self._counting = Lock()

    @classmethod
    def open(cls, path: Path, writable: bool = True) -> Store:
        """Open a store.

        Args:
            path: its file; if `writable`, created with its folder where missing.
            writable: if false, the file must exist and is not changed, and its folder may be read-only. SQLite may
                leave two files next to it, `-wal` and `-shm`, for the next writer.

        Raises:
            StoreError: the file is not a store, is damaged, or is another version's; it is left unchanged.
        """
        return cls(path, Connections(path, writable))

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the store; no method may be called afterwards."""
        self._connections.close()

    @property
    def size(self) -> int:
        """Bytes of the file and of its write-ahead log."""
        log = self._file.with_name(f"{self._file.name}-wal")
        with as_store_error(self.path):
            return self._file.stat().st_size + (log.stat().st_size if log.exists() else 0)

    @property
    def damaged(self) -> Mapping[str, int]:
        """How many rows read so far failed their checksum, by table."""
        return dict(self._damaged)

    def reject(self, table: str) -> None:
        """Count a row as damaged whose checksum holds, and whose content its reader refuses."""
        self._count(table)

    def put(
        self,
        spectra: Mapping[SpectrumKey, Spectrum] = _NOTHING,
        results: Mapping[ResultKey, Value] = _NOTHING,
        origin: Origin | None = None,
        recalled: Collection[SpectrumKey] = (),
    ) -> None:
        """Write spectra and results in one transaction, replacing those with the same keys.

        Call it once for all matrices of a tensor: a transaction costs as much as some hundred rows.

        Args:
            spectra: by key.
            results: by key.
            origin: the merge that brings them; `None` for what was computed here.
            recalled: keys of spectra that this store had. All others were solved here: rows that came with a merge
                under their keys are deleted.
        """
        keys = {*spectra, *(key.spectrum for key in results)}
        now = int(time.time())
        spectrum_rows = [rows.sealed(rows.spectrum_fields(*item)) for item in spectra.items()]
        result_rows = [rows.sealed(rows.result_fields(*item)) for item in results.items()]
        with self._connections.writing() as writer:
            if origin is None:
                origins.claim(writer, spectra.keys() - set(recalled))
            writer.executemany(
                "INSERT OR IGNORE INTO keys (content, part, recipe, created) VALUES (?, ?, ?, ?)",
                ((*rows.key_fields(key), now) for key in keys),
            )
            writer.executemany(
                f"INSERT OR REPLACE INTO spectra VALUES (({_THIS_KEY}), ?, ?, ?, ?, ?, ?, ?)", spectrum_rows
            )
            writer.executemany(f"INSERT OR REPLACE INTO results VALUES (({_THIS_KEY}), ?, ?, ?, ?, ?)", result_rows)
            if origin is not None and keys:
                origins.mark(writer, keys, origin)

    def spectra(self, keys: Collection[SpectrumKey], only_own: bool = False) -> dict[SpectrumKey, Spectrum]:
        """Return the stored spectra among those requested, in one query.

        Args:
            keys: the keys.
            only_own: leave out keys under which rows came with a merge.
        """
        query = (
            f"SELECT {_SPECTRUM} FROM {_REQUESTED} JOIN spectra AS s ON s.key = k.id WHERE {self._owned(only_own)}"
        )
        return dict(self._records("spectra", query, rows.spectrum_record, _key_list(keys)))

    def results(
        self, spectra: Collection[SpectrumKey], methods: Collection[Method], only_own: bool = False
    ) -> dict[ResultKey, Value]:
        """Return the stored results of these methods on these spectra, in one query; `only_own` as in `spectra`."""
        query = (
            f"SELECT {_RESULT} FROM {_REQUESTED} JOIN results AS r ON r.key = k.id "
            f"WHERE r.method IN (SELECT value FROM json_each(?)) AND {self._owned(only_own)}"
        )
        names = json.dumps(sorted({rows.escaped(method.name) for method in methods}))
        found = self._records("results", query, rows.result_record, _key_list(spectra), names)
        wanted = set(methods)
        return {key: value for key, value in found if key.method in wanted}

    def all_spectra(self) -> Iterator[tuple[SpectrumKey, Spectrum]]:
        """Yield every spectrum."""
        query = f"SELECT {_SPECTRUM} FROM spectra AS s LEFT JOIN keys AS k ON k.id = s.key"
        return self._records("spectra", query, rows.spectrum_record)

    def all_results(self) -> Iterator[tuple[ResultKey, Value]]:
        """Yield every result."""
        query = f"SELECT {_RESULT} FROM results AS r LEFT JOIN keys AS k ON k.id = r.key"
        return self._records("results", query, rows.result_record)

    def put_files(self, files: Mapping[FileStamp, Mapping[str, str]]) -> None:
        """Record the contents of files' tensors, each under the stamp that the file had before it was read.

        A file that was changed a moment ago is skipped: it may change again under the same stamp.

        Args:
            files: for each stamp, the content of each tensor by name, as in `SpectrumKey`.
        """
        now = time.time_ns()
        self._insert("files", [rows.file_fields(*file) for file in files.items() if file[0].is_settled(now)])

    def files(self, stamps: Collection[FileStamp]) -> dict[FileStamp, Mapping[str, str]]:
        """Return the recorded contents of those files that have not changed."""
        query = "SELECT f.* FROM json_each(?) AS requested CROSS JOIN files AS f ON f.path = requested.value"
        paths = json.dumps([rows.escaped(stamp.path) for stamp in stamps])
        wanted = set(stamps)
        return {
            stamp: found for stamp, found in self._records("files", query, rows.file_record, paths) if stamp in wanted
        }

    def all_files(self) -> Iterator[tuple[FileStamp, Mapping[str, str]]]:
        """Yield the recorded contents of every file."""
        return self._records("files", "SELECT * FROM files", rows.file_record)

    def put_headers(self, headers: Mapping[str, Sequence[HeaderTensor]]) -> None:
        """Record the headers of shards, by what names the shard's content."""
        self._insert("headers", [rows.header_fields(*header) for header in headers.items()])

    def headers(self, shards: Collection[str]) -> dict[str, tuple[HeaderTensor, ...]]:
        """Return the stored headers among those requested."""
        query = "SELECT h.* FROM json_each(?) AS requested CROSS JOIN headers AS h ON h.shard = requested.value"
        wanted = json.dumps([rows.escaped(shard) for shard in shards])
        return dict(self._records("headers", query, rows.header_record, wanted))

    def all_headers(self) -> Iterator[tuple[str, tuple[HeaderTensor, ...]]]:
        """Yield every header."""
        return self._records("headers", "SELECT * FROM headers", rows.header_record)

    def put_models(self, models: Collection[SeenModel]) -> None:
        """Record models that were scored, replacing the records of the same revisions."""
        whole = [replace(model, seen=model.seen.replace(microsecond=0)) for model in models]
        self._insert("models", [rows.model_fields(model) for model in whole])

    def models(self) -> list[SeenModel]:
        """Return every model that was scored, last scored first."""
        return last_scored_first(self.all_models())

    def all_models(self) -> Iterator[SeenModel]:
        """Yield every model that was scored; of each the contents of hundreds of tensors."""
        return self._records("models", "SELECT * FROM models", rows.model_record)

    def find_models(self, names: Collection[tuple[str, str]]) -> list[SeenModel]:
        """Return the models with these labels and revisions that were scored."""
        query = (
            "SELECT m.* FROM json_each(?) AS requested CROSS JOIN models AS m "
            "ON m.label = json_extract(requested.value, '$[0]') "
            "AND m.revision = json_extract(requested.value, '$[1]')"
        )
        wanted = json.dumps([[rows.escaped(label), rows.escaped(revision)] for label, revision in names])
        return list(self._records("models", query, rows.model_record, wanted))

    def origins(self) -> dict[Origin, int]:
        """Return the merges of which rows are left, each with its number of keys."""
        with self._connections.reading() as reader:
            found, damaged = origins.origins(reader)
        for _ in range(damaged):
            self._count("merges")
        return found

    def origins_of(self, keys: Collection[SpectrumKey]) -> dict[Origin, list[SpectrumKey]]:
        """Return the merges that rows under these keys came with, each with its keys."""
        with self._connections.reading() as reader:
            return origins.origins_of(reader, keys)

    def mark(self, keys: Collection[SpectrumKey], origin: Origin) -> None:
        """Note that rows under these keys came with a merge."""
        with self._connections.writing() as writer:
            origins.mark(writer, keys, origin)

    def contents(self) -> dict[str, datetime]:
        """Return every content with a stored key, and when its last key was stored."""
        return dict(self.all_contents())

    def all_contents(self) -> Iterator[tuple[str, datetime]]:
        """Yield the content of every key, and when the key was stored."""
        with self._connections.reading() as reader:
            for content, created in reader.execute("SELECT content, created FROM keys"):
                try:
                    yield rows.unescaped(content), datetime.fromtimestamp(created, UTC)
                except (ValueError, TypeError, AttributeError, OverflowError, OSError):
                    self._count("keys")

    def forget(
        self,
        models: Collection[SeenModel] = (),
        contents: Collection[str] = (),
        files: Collection[FileStamp] = (),
        headers: Collection[str] = (),
    ) -> None:
        """Delete models, all results of contents, recorded files, and headers, in one transaction."""
        chosen = [(rows.escaped(content),) for content in contents]
        with self._connections.writing() as writer:
            for table in ("spectra", "results"):
                writer.executemany(
                    f"DELETE FROM {table} WHERE key IN (SELECT id FROM keys WHERE content = ?)", chosen
                )
            writer.executemany("DELETE FROM keys WHERE content = ?", chosen)
            writer.executemany(
                "DELETE FROM models WHERE label = ? AND revision = ?",
                [(rows.escaped(model.label), rows.escaped(model.revision)) for model in models],
            )
            writer.executemany("DELETE FROM files WHERE path = ?", [(rows.escaped(stamp.path),) for stamp in files])
            writer.executemany("DELETE FROM headers WHERE shard = ?", [(rows.escaped(shard),) for shard in headers])
            origins.forget_deleted(writer)

    def compact(self) -> None:
        """Return the space of deleted rows to the disk."""
        with self._connections.writing_without_transaction() as writer:
            writer.execute("VACUUM")
            writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _owned(self, only_own: bool) -> str:
        """The condition of a query for rows that did not come with a merge; unless asked for, one that holds."""
        if only_own:
            with self._connections.reading() as reader:
                only_own = origins.has_merges(reader)
        return origins.IS_OWN if only_own else "TRUE"

    def _insert(self, table: str, fields: Sequence[rows.Row]) -> None:
        marks = ", ".join("?" * (len(fields[0]) + 1)) if fields else ""
        if fields:
            with self._connections.writing() as writer:
                sealed = map(rows.sealed, fields)
                writer.executemany(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", sealed)

    def _records(self, table: str, query: str, decode: Callable[..., Record], *parameters: str) -> Iterator[Record]:
        with self._connections.reading() as reader:
            for row in reader.execute(query, parameters):
                record = rows.opened(row, decode)
                if record is None:
                    self._count(table)
                else:
                    yield record

    def _count(self, table: str) -> None:
        with self._counting:
            self._damaged[table] += 1


def _key_list(keys: Collection[SpectrumKey]) -> str:
    return json.dumps([rows.key_fields(key) for key in keys])

"""A store in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from wqscore.results import Result
from wqscore.store.records import SeenModel
from wqscore.store.schema import SCHEMA_VERSION
from wqscore.store.store import Store


@dataclass(frozen=True)
class StoreOverview(Result):
    """What a store holds; every row was read and is sound, or is counted as damaged.

    Attributes:
        path: the file.
        size: bytes of the file and of its write-ahead log.
        schema: the version of its tables.
        models: the last one scored first.
        spectra: how many, by recipe.
        results: how many, by method; the parameters left out.
        files: of how many files on disk it is recorded what they hold.
        headers: of how many shards.
        oldest: when the first row was written, `None` of an empty store.
        newest: when the last was.
        damaged: rows that failed their checksums, by table.
    """

    path: Path
    size: int
    schema: int
    models: tuple[SeenModel, ...]
    spectra: Mapping[str, int]
    results: Mapping[tuple[str, int], int]
    files: int
    headers: int
    oldest: datetime | None
    newest: datetime | None
    damaged: Mapping[str, int]


def overview(store: Store) -> StoreOverview:
    """Count what a store holds; every row of it is read.

    Raises:
        StoreError: it can't be read.
    """
    times = store.contents().values()
    spectra = Counter(key.recipe for key, _ in store.all_spectra())
    results = Counter((key.method.name, key.method.version) for key, _ in store.all_results())
    models = tuple(store.models())
    files = sum(1 for _ in store.all_files())
    headers = sum(1 for _ in store.all_headers())
    return StoreOverview(
        path=store.path,
        size=store.size,
        schema=SCHEMA_VERSION,
        models=models,
        spectra=dict(sorted(spectra.items())),
        results=dict(sorted(results.items())),
        files=files,
        headers=headers,
        oldest=min(times, default=None),
        newest=max(times, default=None),
        damaged=store.damaged,
    )

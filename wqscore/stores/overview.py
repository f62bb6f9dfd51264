"""Count what a store holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from wqscore.results import Result
from wqscore.stores.records import Origin, SeenModel, last_scored_first
from wqscore.stores.schema import SCHEMA_VERSION
from wqscore.stores.store import Store


@dataclass(frozen=True)
class StoreOverview(Result):
    """The numbers of rows in a store; damaged rows are counted separately.

    Attributes:
        path: the file.
        size: bytes of the file and of its write-ahead log.
        schema: the version of its tables.
        models: the models, last scored first, without their contents: those of all models may be millions.
        spectra: number of spectra by recipe.
        results: number of results by method, over all parameters.
        files: number of files on disk whose contents are stored.
        headers: number of shards whose headers are stored.
        origins: the merges that spectra and results came with, each with its number of matrices.
        oldest: when the first row was written, `None` for an empty store.
        newest: when the last row was written.
        damaged: rows that failed their checksum, by table.
    """

    path: Path
    size: int
    schema: int
    models: tuple[SeenModel, ...]
    spectra: Mapping[str, int]
    results: Mapping[tuple[str, int], int]
    files: int
    headers: int
    origins: Mapping[Origin, int]
    oldest: datetime | None
    newest: datetime | None
    damaged: Mapping[str, int]


def overview(store: Store) -> StoreOverview:
    """Count what a store holds; reads and verifies every row.

    Raises:
        StoreError: it can't be read.
    """
    oldest = newest = None
    for _, time in store.all_contents():
        oldest, newest = min(oldest or time, time), max(newest or time, time)
    spectra = Counter(key.recipe for key, _ in store.all_spectra())
    results = Counter((key.method.name, key.method.version) for key, _ in store.all_results())
    models = [replace(model, contents=frozenset()) for model in store.all_models()]
    files = sum(1 for _ in store.all_files())
    headers = sum(1 for _ in store.all_headers())
    return StoreOverview(
        path=store.path,
        size=store.size,
        schema=SCHEMA_VERSION,
        models=tuple(last_scored_first(models)),
        spectra=dict(sorted(spectra.items())),
        results=dict(sorted(results.items())),
        files=files,
        headers=headers,
        origins=store.origins(),
        oldest=oldest,
        newest=newest,
        damaged=store.damaged,
    )

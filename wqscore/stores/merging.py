"""Merge one store into another, such as the stores of a cluster's machines into one."""

from __future__ import annotations

import platform
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from typing import TypeVar

from wqscore.stores.records import Origin, ResultKey, SeenModel, SpectrumKey, Value
from wqscore.stores.rows import header_fields, result_fields, spectrum_fields
from wqscore.stores.store import Store

Key = TypeVar("Key")
Stored = TypeVar("Stored")

#: Rows in one transaction.
_BATCH = 1000


@dataclass(frozen=True)
class Merged:
    """The result of merging another store.

    Attributes:
        spectra: number of spectra added.
        results: number of results added.
        headers: number of headers added.
        models: number of models added or extended.
        present: rows that both stores have with the same value.
        conflicts: rows that both stores have with different values; this store's was kept.
        damaged: rows of the other store that failed their checksum.
    """

    spectra: int = 0
    results: int = 0
    headers: int = 0
    models: int = 0
    present: int = 0
    conflicts: int = 0
    damaged: int = 0


def merge(store: Store, other: Store) -> Merged:
    """Add the rows of another store that this one lacks; the other stays unchanged.

    What is added is marked with where it came from, and with the marks that it had there: those are the other
    store's word.

    Contents of files on disk are only merged where this machine sees the file under the same stamp, as on a shared
    file system; the other machine's local files are skipped.

    Raises:
        StoreError: a store can't be read or written; earlier batches stay added.
    """
    before = sum(other.damaged.values())
    origin = Origin(str(other.path), platform.node(), datetime.now(UTC).replace(microsecond=0))
    spectra = results = headers = present = conflicts = 0
    for some in _batches(other.all_spectra()):
        added, same, different = _sorted(some, store.spectra(list(some)), spectrum_fields)
        store.put(spectra=added, origin=origin)
        _hand_on(store, other, added)
        spectra, present, conflicts = spectra + len(added), present + same, conflicts + different
    for outcomes in _batches(other.all_results()):
        new, same, different = _sorted(outcomes, _here(store, outcomes), result_fields)
        store.put(results=new, origin=origin)
        _hand_on(store, other, {key.spectrum for key in new})
        results, present, conflicts = results + len(new), present + same, conflicts + different
    for tensors in _batches(other.all_headers()):
        lacking, same, different = _sorted(tensors, store.headers(list(tensors)), header_fields)
        store.put_headers(lacking)
        headers, present, conflicts = headers + len(lacking), present + same, conflicts + different
    for some_files in _batches((stamp, held) for stamp, held in other.all_files() if stamp.is_current()):
        known = store.files(list(some_files))
        store.put_files({stamp: {**held, **known.get(stamp, {})} for stamp, held in some_files.items()})
    models = 0
    # A model has the contents of hundreds of tensors, and this store may have thousands of models.
    for seen in _batches(((model.label, model.revision), model) for model in other.all_models()):
        joined = _newer(store.find_models(list(seen)), seen.values())
        store.put_models(joined)
        models += len(joined)
    damaged = sum(other.damaged.values()) - before
    return Merged(spectra, results, headers, models, present, conflicts, damaged)


def _hand_on(store: Store, other: Store, keys: Collection[SpectrumKey]) -> None:
    """Mark what was added with the merges that had brought it to the other store."""
    for origin, brought in other.origins_of(keys).items():
        store.mark(brought, origin)


def _batches(pairs: Iterator[tuple[Key, Stored]]) -> Iterator[dict[Key, Stored]]:
    while batch := dict(islice(pairs, _BATCH)):
        yield batch


def _sorted(
    theirs: Mapping[Key, Stored], ours: Mapping[Key, Stored], bits: Callable[[Key, Stored], object]
) -> tuple[dict[Key, Stored], int, int]:
    """The rows that `ours` lacks, how many are the same in both, and how many differ."""
    lacking = {key: value for key, value in theirs.items() if key not in ours}
    same = sum(bits(key, value) == bits(key, theirs[key]) for key, value in ours.items())
    return lacking, same, len(theirs) - len(lacking) - same


def _here(store: Store, wanted: Collection[ResultKey]) -> dict[ResultKey, Value]:
    found = store.results({key.spectrum for key in wanted}, {key.method for key in wanted})
    return {key: found[key] for key in wanted if key in found}


def _newer(ours: Collection[SeenModel], theirs: Collection[SeenModel]) -> list[SeenModel]:
    """Their models that are new or add something to ours, merged with ours."""
    known = {(model.label, model.revision): model for model in ours}
    joined = []
    for model in theirs:
        here = known.get((model.label, model.revision), model)
        both = replace(model, seen=max(model.seen, here.seen), contents=model.contents | here.contents)
        if known.get((model.label, model.revision)) != both:
            joined.append(both)
    return joined

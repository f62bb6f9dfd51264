"""What pruning deletes and what it keeps."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.stores.samples import ALPHA, FACTS, key, results, spectrum
from wqscore.stores.pruning import prune
from wqscore.stores.records import FileStamp, HeaderTensor, SeenModel, SpectrumKey
from wqscore.stores.store import Store

HEADER = (HeaderTensor("w", "F32", (2, 3), 80, 24),)
#: A shard of the oldest model, of the newest, and of none.
SHARDS = ("1" * 64, "3" * 64, "9" * 64)


def lfs(shard: str) -> SpectrumKey:
    return SpectrumKey(f"lfs:{shard}:w", "", "gram-1")


def seen(label: str, month: int, *keys: SpectrumKey) -> SeenModel:
    return SeenModel(label, "", datetime(2026, month, 1, tzinfo=UTC), frozenset(name.content for name in keys))


MODELS = [
    seen("new", 5, key(3), key(4), lfs(SHARDS[1])),
    seen("middle", 3, key(2), key(3)),
    seen("old", 1, key(1), key(2), lfs(SHARDS[0])),
]
#: 9 and the last shard belong to no model.
KEYS = [*map(key, (1, 2, 3, 4, 9)), *map(lfs, SHARDS)]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr("time.time", lambda: datetime(2026, 4, 1, tzinfo=UTC).timestamp())
    store = Store.open(tmp_path / "store.sqlite")
    store.put({name: spectrum(i, 5000) for i, name in enumerate(KEYS)})
    store.put(results={k: v for n in (1, 2, 3, 4, 9) for k, v in results(n).items()})
    store.put_headers(dict.fromkeys(SHARDS, HEADER))
    store.put_models(MODELS)
    return store


def left(store: Store) -> set[SpectrumKey]:
    """The keys of what is there; results are there with their spectra."""
    found = {name for name, _ in store.all_spectra()}
    assert {name.spectrum for name, _ in store.all_results()} == found - set(map(lfs, SHARDS))
    assert store.contents().keys() == {name.content for name in found}
    return found


def test_models_not_scored_for_long_go_with_what_is_theirs_alone(store: Store) -> None:
    pruned = prune(store, older_than=datetime(2026, 2, 1, tzinfo=UTC))
    assert [model.label for model in pruned.models] == ["old"]
    assert left(store) == set(KEYS) - {key(1), lfs(SHARDS[0])}
    assert store.headers(SHARDS).keys() == {SHARDS[1], SHARDS[2]}
    assert (pruned.contents, pruned.headers, pruned.files) == (2, 1, 0)
    assert store.models() == MODELS[:2]


def test_what_no_model_has_goes_by_its_own_age(store: Store) -> None:
    """It may be of a run that was killed, and is to go on."""
    assert prune(store, older_than=datetime(2026, 3, 15, tzinfo=UTC)).contents == 3
    assert left(store) == {key(3), key(4), key(9), lfs(SHARDS[1]), lfs(SHARDS[2])}
    assert prune(store, older_than=datetime(2026, 4, 2, tzinfo=UTC)).contents == 2
    assert left(store) == {key(3), key(4), lfs(SHARDS[1])}


@pytest.mark.parametrize(
    ("count", "numbers"), [(0, (9,)), (1, (3, 4, 9)), (2, (2, 3, 4, 9)), (3, (1, 2, 3, 4, 9)), (7, (1, 2, 3, 4, 9))]
)
def test_the_models_scored_last_are_kept(store: Store, count: int, numbers: tuple[int, ...]) -> None:
    prune(store, keep_last=count)
    assert left(store) - set(map(lfs, SHARDS)) == {key(n) for n in numbers}
    assert store.models() == MODELS[:count]


def test_what_no_model_has(store: Store) -> None:
    pruned = prune(store, unused=True)
    assert (pruned.models, pruned.contents, pruned.headers) == ((), 2, 1)
    assert left(store) == set(KEYS) - {key(9), lfs(SHARDS[2])}
    assert store.headers(SHARDS).keys() == {*SHARDS[:2]}


@pytest.mark.usefixtures("settled")
def test_files_that_are_gone_or_have_changed(store: Store, tmp_path: Path) -> None:
    stamps = []
    for name in ("same", "changed", "gone"):
        (tmp_path / name).write_bytes(b"w")
        os.utime(tmp_path / name, (1e9, 1e9))
        stamps.append(FileStamp.of(tmp_path / name))
    store.put_files({stamp: {"w": key(1).content} for stamp in (*stamps, FileStamp("\0", 1, 1, 1, 1))})
    (tmp_path / "changed").write_bytes(b"v")
    (tmp_path / "gone").unlink()
    assert prune(store, keep_last=3).files == 0
    assert prune(store, unused=True).files == 3
    assert dict(store.all_files()) == {stamps[0]: {"w": key(1).content}}


def test_the_file_becomes_smaller_and_what_is_left_is_readable(store: Store) -> None:
    pruned = prune(store, keep_last=0, unused=True)
    assert left(store) == set()
    assert pruned.before > len(KEYS) * 5000 * 8
    assert pruned.after < 100_000
    assert store.path.stat().st_size == store.size == pruned.after
    store.put({key(1): spectrum(1)}, results(1))
    assert store.results([key(1)], [ALPHA, FACTS]) == results(1)


def test_an_identity_that_is_used_again_gives_nothing_of_the_old_one(store: Store) -> None:
    """SQLite may give a new key the number of a deleted one."""
    prune(store, keep_last=0, unused=True)
    store.put({key(77): spectrum(77)})
    assert store.results([key(77)], [ALPHA, FACTS]) == {}
    assert store.spectra(KEYS) == {}

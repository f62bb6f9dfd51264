"""Merging stores: everything that any of them has; existing entries are kept."""

from __future__ import annotations

import os
import random
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.stores.samples import ALPHA, FACTS, key, results, same, spectrum
from wqscore.stores import rows
from wqscore.stores.merging import Merged, merge
from wqscore.stores.pruning import prune
from wqscore.stores.records import FileStamp, HeaderTensor, Method, Origin, ResultKey, SeenModel
from wqscore.stores.store import Store

HEADER = (HeaderTensor("w", "F32", (2, 3), 80, 24),)


def fill(path: Path, numbers: range) -> Store:
    store = Store.open(path)
    store.put({key(n): spectrum(n) for n in numbers}, {k: v for n in numbers for k, v in results(n).items()})
    return store


def test_what_is_lacking_is_added(tmp_path: Path) -> None:
    with fill(tmp_path / "a", range(30)) as a, fill(tmp_path / "b", range(20, 60)) as b:
        b.put_headers({"0" * 64: HEADER})
        b.put_files({FileStamp("/w", 1, 2, 3, 4): {"w": key(0).content}})
        assert merge(a, b) == Merged(spectra=30, results=60, headers=1, present=10 + 20)
        assert sum(1 for _ in b.all_spectra()) == 40
        assert merge(a, b) == Merged(present=40 + 80 + 1)
        found = a.spectra([key(n) for n in range(60)])
        assert all(same(found[key(n)], spectrum(n)) for n in range(60))
        expected = {k: v for n in range(60) for k, v in results(n).items()}
        assert a.results(found, [ALPHA, FACTS]) == expected
        assert a.headers(["0" * 64]) == {"0" * 64: HEADER}
        # Another machine's files are not this one's.
        assert list(a.all_files()) == []


@pytest.mark.usefixtures("settled")
def test_of_files_those_that_this_machine_sees_too(tmp_path: Path) -> None:
    shared, other = tmp_path / "shared", tmp_path / "other"
    for file in (shared, other):
        file.write_bytes(b"x")
        os.utime(file, (10**9, 10**9))
    stamp, changed = FileStamp.of(shared), FileStamp.of(other)
    with Store.open(tmp_path / "a") as a, Store.open(tmp_path / "b") as b:
        a.put_files({stamp: {"v": key(1).content}})
        b.put_files({stamp: {"w": key(2).content}, changed: {"w": key(3).content}})
        other.write_bytes(b"y")
        merge(a, b)
        assert dict(a.all_files()) == {stamp: {"v": key(1).content, "w": key(2).content}}


def test_more_rows_than_a_transaction_takes(tmp_path: Path) -> None:
    with fill(tmp_path / "a", range(2)) as a, Store.open(tmp_path / "b") as b:
        b.put(results={ResultKey(key(n), ALPHA): float(n) for n in range(2500)})
        assert merge(a, b) == Merged(results=2498, conflicts=2)
        assert len(a.results([key(n) for n in range(2500)], [ALPHA])) == 2500


def test_of_two_values_the_one_that_is_here_is_kept(tmp_path: Path) -> None:
    with fill(tmp_path / "a", range(3)) as a, fill(tmp_path / "b", range(3)) as b:
        other = replace(spectrum(1), eigenvalues=spectrum(1).eigenvalues * (1 + 2**-52))
        b.put({key(1): other}, {ResultKey(key(2), ALPHA): float("nan")})
        b.put_headers({"0" * 64: HEADER})
        a.put_headers({"0" * 64: ()})
        assert merge(a, b) == Merged(present=2 + 5, conflicts=3)
        assert same(a.spectra([key(1)])[key(1)], spectrum(1))
        assert a.results([key(2)], [ALPHA]) == {k: v for k, v in results(2).items() if k.method == ALPHA}
        assert a.headers(["0" * 64]) == {"0" * 64: ()}
        # A NaN is the same as a NaN.
        a.put(results={ResultKey(key(2), ALPHA): float("nan")})
        assert merge(a, b).conflicts == 2


def seen(label: str, day: int, *numbers: int) -> SeenModel:
    return SeenModel(label, "a" * 40, datetime(2026, 1, day, tzinfo=UTC), frozenset(key(n).content for n in numbers))


def test_a_model_that_two_have_is_one(tmp_path: Path) -> None:
    with Store.open(tmp_path / "a") as a, Store.open(tmp_path / "b") as b:
        a.put_models([seen("both", 3, 1, 2), seen("here", 1, 7), seen("same", 2, 8)])
        b.put_models([seen("both", 2, 2, 3), seen("there", 5, 4), seen("same", 2, 8)])
        assert merge(a, b) == Merged(models=2)
        assert a.models() == [seen("there", 5, 4), seen("both", 3, 1, 2, 3), seen("same", 2, 8), seen("here", 1, 7)]


def test_of_its_own_models_only_those_that_the_other_has_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store of thousands of models takes no longer to merge into than an empty one."""
    with Store.open(tmp_path / "a") as a, Store.open(tmp_path / "b") as b:
        a.put_models([seen(f"mine-{number}", 1, number) for number in range(50)])
        a.put_models([seen("both", 1, 1), seen('ö\'s "model"', 1, 3)])
        b.put_models([seen("both", 2, 2), seen('ö\'s "model"', 2, 4), seen("theirs", 3, 5)])
        read: list[str] = []
        decode = rows.model_record
        monkeypatch.setattr(rows, "model_record", lambda *fields: read.append(fields[0]) or decode(*fields))
        assert merge(a, b) == Merged(models=3)
        assert len(read) == 3 + 2
        monkeypatch.undo()
        found = {model.label: model.contents for model in a.models()}
        assert len(found) == 53
        assert found["both"] == seen("", 1, 1, 2).contents
        assert found['ö\'s "model"'] == seen("", 1, 3, 4).contents


@settings(max_examples=examples(15))
@given(st.lists(st.tuples(st.text(max_size=5), st.text(max_size=3)), max_size=8), st.randoms(use_true_random=False))
def test_models_are_found_by_label_and_revision(names: list[tuple[str, str]], order: random.Random) -> None:
    time = datetime(2026, 1, 1, tzinfo=UTC)
    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder, "a")) as store:
        store.put_models([SeenModel(*name, time, frozenset({"c"})) for name in names])
        wanted = [name for name in names if order.random() < 0.5] + [("no", "such")]
        found = {(model.label, model.revision) for model in store.find_models(wanted)}
        assert found == set(wanted) & set(names)


PARTS = st.lists(st.frozensets(st.integers(0, 12)), min_size=1, max_size=4)


@settings(max_examples=examples(15))
@given(PARTS, st.randoms(use_true_random=False))
def test_the_order_of_the_parts_does_not_matter(parts: list[frozenset[int]], order: random.Random) -> None:
    with tempfile.TemporaryDirectory() as folder:
        stores = []
        for i, numbers in enumerate(parts):
            store = Store.open(Path(folder, str(i)))
            store.put(
                {key(n): spectrum(n, 3) for n in numbers}, {k: v for n in numbers for k, v in results(n).items()}
            )
            stores.append(store)
        order.shuffle(stores)
        with Store.open(Path(folder, "all")) as whole:
            merged = [merge(whole, store) for store in stores]
            assert sum(m.conflicts + m.damaged for m in merged) == 0
            assert sum(m.spectra for m in merged) == len(frozenset().union(*parts))
            assert {name for name, _ in whole.all_spectra()} == {key(n) for n in frozenset().union(*parts)}
        for store in stores:
            store.close()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Merges happen on 2026-06-01, on a machine called `there`."""

    class Fixed(datetime):
        @classmethod
        def now(cls, zone: tzinfo | None = None) -> Fixed:
            return cls(2026, 6, 1, 12, 0, 0, 999, tzinfo=zone)

    monkeypatch.setattr("wqscore.stores.merging.datetime", Fixed)
    monkeypatch.setattr("platform.node", lambda: "there")


def origin(path: Path) -> Origin:
    return Origin(str(path), "there", datetime(2026, 6, 1, 12, tzinfo=UTC))


@pytest.mark.usefixtures("clock")
def test_what_came_with_a_merge_is_marked_until_it_is_solved_here(tmp_path: Path) -> None:
    with fill(tmp_path / "a", range(3)) as a, fill(tmp_path / "b", range(2, 6)) as b:
        assert a.origins() == {}
        merge(a, b)
        assert a.origins() == {origin(tmp_path / "b"): 3}
        keys = [key(n) for n in range(6)]
        assert set(a.spectra(keys)) == set(keys)
        assert set(a.spectra(keys, only_own=True)) == set(keys[:3])
        assert {k.spectrum for k in a.results(keys, [ALPHA, FACTS], only_own=True)} == set(keys[:3])
        # A result computed from a merged spectrum is no more certain than that.
        a.put({key(4): spectrum(4)}, {ResultKey(key(4), ALPHA): 7.0}, recalled=[key(4)])
        assert set(a.spectra(keys, only_own=True)) == set(keys[:3])
        # One that is solved here stands alone: the other store's results of it are gone.
        a.put({key(5): spectrum(5)}, {ResultKey(key(5), ALPHA): 7.0})
        assert set(a.spectra(keys, only_own=True)) == {*keys[:3], key(5)}
        assert a.results([key(5)], [ALPHA, FACTS]) == {ResultKey(key(5), ALPHA): 7.0}
        assert a.origins() == {origin(tmp_path / "b"): 2}
        # Results that another store adds to a spectrum of this one mark it too.
        with Store.open(tmp_path / "c") as c:
            c.put(results={ResultKey(key(0), Method("more", "{}", 1)): 1.0})
            merge(a, c)
        assert set(a.spectra(keys, only_own=True)) == {key(1), key(2), key(5)}


@pytest.mark.usefixtures("clock")
def test_a_merge_hands_on_where_things_came_from(tmp_path: Path) -> None:
    with fill(tmp_path / "a", range(2)) as a, Store.open(tmp_path / "b") as b, Store.open(tmp_path / "c") as c:
        merge(b, a)
        b.put({key(5): spectrum(5)})
        merge(c, b)
        assert c.origins() == {origin(tmp_path / "a"): 2, origin(tmp_path / "b"): 3}
        merge(c, b)
        assert c.origins() == {origin(tmp_path / "a"): 2, origin(tmp_path / "b"): 3}, "nothing new, no new merge"
        prune(c, unused=True)
        assert c.origins() == {}


@pytest.mark.usefixtures("clock")
def test_a_store_with_merges_opens_again_and_one_without_has_the_tables_of_0_5_0(tmp_path: Path) -> None:
    def tables(path: Path) -> set[str]:
        with closing(sqlite3.connect(path)) as connection:
            return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}

    before = {"keys", "spectra", "results", "files", "headers", "models"}
    with fill(tmp_path / "a", range(2)) as a, fill(tmp_path / "b", range(2)) as b:
        merge(a, b)
    assert tables(tmp_path / "a") == before, "nothing was added"
    with Store.open(tmp_path / "a") as a, fill(tmp_path / "c", range(3)) as c:
        merge(a, c)
    assert tables(tmp_path / "a") == before | {"merges", "merged"}
    with Store.open(tmp_path / "a", writable=False) as a:
        assert a.origins() == {origin(tmp_path / "c"): 1}
    with closing(sqlite3.connect(tmp_path / "a")) as connection, connection:
        connection.execute("UPDATE merges SET source = 'elsewhere'")
    with Store.open(tmp_path / "a") as a:
        assert a.origins() == {}
        assert a.damaged == {"merges": 1}
        assert key(2) not in a.spectra([key(2)], only_own=True), "the mark holds whatever its record says"

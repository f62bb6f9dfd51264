"""Real rows, changed at random and sealed with checksums that hold: none stops a run, and --verify believes none."""

from __future__ import annotations

import json
import math
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

import wqscore
from tests.examples import sized
from wqscore.stores.merging import merge
from wqscore.stores.overview import overview
from wqscore.stores.rows import checksum
from wqscore.stores.store import Store

KEY = "k.content, k.part, k.recipe"
#: The fields under a row's checksum, and how many of them belong to another table.
FIELDS = {
    "spectra": (f"{KEY}, rows, columns, slices, unit_roundoff, state, eigenvalues", 3),
    "results": (f"{KEY}, method, parameters, version, value", 3),
    "files": ("path, stamp, contents", 0),
    "models": ("label, revision, seen, contents", 0),
    "merges": ("source, host, time", 0),
}
NAMES = [f"layers.{i}.q.weight" for i in range(2)]


def alphas(model: Path, store: Path | None, **more: Any) -> list[float]:
    return [
        row.metrics["alpha"] for row in wqscore.score(model, store=store, bootstrap=0, gof=0, jobs=1, **more).layers
    ]


class Sound:
    """A model, its numbers, and a store of it, some of whose rows came with a merge."""

    def __init__(self, folder: Path) -> None:
        self.model, self.store = folder / "model", folder / "store"
        self.model.mkdir()
        rng = np.random.default_rng(5)
        save_file(
            {name: rng.standard_t(3, (40, 30)).astype("f4") for name in NAMES}, self.model / "model.safetensors"
        )
        os.utime(self.model / "model.safetensors", (10**9, 10**9))
        self.true = alphas(self.model, None)
        self.rows: list[tuple[str, int, list[Any]]] = []
        alphas(self.model, self.store)
        shutil.copy(self.store, folder / "other")
        with Store.open(self.store) as mine, Store.open(folder / "other") as other:
            other.put(dict(other.all_spectra()), {})
            mine.forget(contents=list(mine.contents())[:1])
            merge(mine, other)
        with closing(sqlite3.connect(self.store)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            for table, (fields, _) in FIELDS.items():
                join = "JOIN keys AS k ON k.id = t.key" if fields.startswith("k.") else ""
                keys = "t.key" if join else "t.rowid"
                for number, *values in connection.execute(f"SELECT {keys}, {fields} FROM {table} AS t {join}"):
                    self.rows.append((table, number, values))
        assert {table for table, *_ in self.rows} == set(FIELDS)


@pytest.fixture(scope="module")
def sound(settled: None, tmp_path_factory: pytest.TempPathFactory) -> Sound:
    return Sound(tmp_path_factory.mktemp("sound"))


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
BLOBS = st.binary(max_size=64) | st.lists(st.floats(width=64), max_size=40).map(lambda v: np.array(v).tobytes())
VALUES = st.none() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(max_size=9) | BLOBS


@st.composite
def mutated_json(draw: st.DrawFn, text: str) -> str:
    """A document with one of its values, at any depth, replaced, left out or given twice."""
    document = json.loads(text)
    place = document
    while isinstance(place, dict | list) and place:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = draw(st.sampled_from(keys))
        if isinstance(place[key], dict | list) and place[key] and draw(st.booleans()):
            place = place[key]
            continue
        what = draw(st.sampled_from(["replace", "delete", "wrap", "nest"]))
        if what == "delete":
            del place[key]
        else:
            place[key] = {"replace": draw(LEAVES), "wrap": [place[key]], "nest": {"values": place[key]}}[what]
        break
    return json.dumps(document)


@st.composite
def forged(draw: st.DrawFn, value: Any) -> Any:
    """A value in place of a stored one: near it, or anything."""
    choices: list[st.SearchStrategy[Any]] = [VALUES]
    if isinstance(value, int):
        choices += [st.sampled_from([value + 1, -value, value * 2, 2**62, str(value), float(value)])]
    elif isinstance(value, float):
        choices += [st.sampled_from([-value, math.inf, math.nan, 0.0, 1e300, str(value)])]
    elif isinstance(value, bytes):
        numbers = np.frombuffer(value)
        choices += [
            st.sampled_from([value[:-1], value[8:], value * 2, value[::-1], numbers[::-1].tobytes(), -numbers])
        ]
        choices += [st.integers(0, 8 * len(value) - 1).map(lambda bit: flipped(value, bit))]
    elif isinstance(value, str) and value.startswith(("[", "{")):
        choices += [mutated_json(value)] * 3 + [st.just(value[:-1]), st.just(value + value), st.just("[" * 10**4)]
    else:
        choices += [st.sampled_from([value + "x", value[:-1], value.upper(), value + "\x1b[2J", "\\ud800", "\\x"])]
    found = draw(st.one_of(choices))
    return found.tobytes() if isinstance(found, np.ndarray) else found


def flipped(blob: bytes, bit: int) -> bytes:
    changed = bytearray(blob)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def forge(store: Path, draw: Callable[[st.SearchStrategy[Any]], Any], row: tuple[str, int, list[Any]]) -> None:
    """Change one field of one row, and seal it."""
    table, number, values = row
    fields, foreign = FIELDS[table]
    names = fields.split(", ")
    place = draw(st.integers(foreign, len(names) - 1))
    changed = list(values)
    changed[place] = draw(forged(values[place]))
    where = [f"{name} IS ?" for name in names[foreign:]]
    rowid = ["key = ?"] if foreign else []
    with closing(sqlite3.connect(store)) as connection, connection:
        try:
            done = connection.execute(
                f"UPDATE {table} SET {names[place]} = ?, checksum = ? WHERE {' AND '.join(rowid + where)}",
                [changed[place], checksum(changed), *([number] if foreign else []), *values[foreign:]],
            )
            assert done.rowcount == 1
        except (sqlite3.IntegrityError, UnicodeEncodeError, OverflowError):
            pass  # SQLite itself refuses it.


@settings(max_examples=sized(500, 40), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), merged=st.booleans())
def test_no_forged_row_stops_a_run_and_none_is_believed_with_verify(
    data: st.DataObject, merged: bool, sound: Sound, tmp_path_factory: pytest.TempPathFactory
) -> None:
    store = tmp_path_factory.mktemp("forged") / "store"
    shutil.copy(sound.store, store)
    for row in data.draw(st.lists(st.sampled_from(range(len(sound.rows))), min_size=1, max_size=3, unique=True)):
        forge(store, data.draw, sound.rows[row])
    with Store.open(store) as opened:
        overview(opened)
    if merged:
        with Store.open(store.with_name("mine")) as mine, Store.open(store, writable=False) as other:
            merge(mine, other)
        assert alphas(sound.model, store.with_name("mine"), verify=True) == sound.true
    else:
        found = alphas(sound.model, store)
        assert len(found) == len(NAMES)
        assert not any(math.isinf(alpha) for alpha in found)

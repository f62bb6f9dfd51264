"""What a store is believed: nothing that was not read, and no row that can't be one."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

import wqscore
from tests.examples import examples
from tests.hub_server import HubServer
from wqscore.stores.merging import merge
from wqscore.stores.rows import checksum
from wqscore.stores.store import Store

NAMES = [f"layers.{i}.q.weight" for i in range(2)]
QUICK: dict[str, Any] = {"bootstrap": 0, "gof": 0}


def weights(seed: int, scale: float = 1.0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {name: (rng.standard_t(3, (64, 60)) * scale).astype("f4") for name in NAMES}


def save(file: Path, tensors: dict[str, np.ndarray]) -> str:
    """Write a file; returns its SHA-256."""
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, file)
    return hashlib.sha256(file.read_bytes()).hexdigest()


def alphas(model: Path, store: Path | None = None, **more: Any) -> list[float]:
    return [row.metrics["alpha"] for row in wqscore.score(model, store=store, **QUICK, **more).layers]


def links(folder: Path, blob: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.safetensors").symlink_to(os.path.relpath(blob, folder))
    return folder


@pytest.mark.parametrize("honest_first", [True, False])
def test_a_link_named_like_another_file_is_read(honest_first: bool, tmp_path: Path) -> None:
    """Links survive tar and git; whoever makes them chooses their targets' names."""
    sha256 = save(tmp_path / "honest/file", weights(1))
    (tmp_path / "honest/file").rename(tmp_path / "honest" / sha256)
    save(tmp_path / "hostile/blobs" / sha256, weights(2))
    models = [
        links(tmp_path / "a", tmp_path / "honest" / sha256),
        links(tmp_path / "b", tmp_path / "hostile/blobs" / sha256),
    ]
    for model in models if honest_first else models[::-1]:
        assert alphas(model, tmp_path / "store") == alphas(model)


@pytest.mark.parametrize("commit", ["a" * 40, "main"])
@pytest.mark.parametrize("shape", ["models--org--name", "blobs--org--name", "models--other--name"])
def test_only_the_cache_of_this_user_vouches_for_a_name(
    shape: str, commit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Folders that look like the Hub's cache lie elsewhere, or link into another repository's."""
    from huggingface_hub import constants

    from wqscore.checkpoints.hub.content_id import cached_content_id

    cache = tmp_path / "cache"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "ENDPOINT", "https://huggingface.co")
    blob = cache / "models--org--name" / "blobs" / ("c" * 64)
    save(blob, weights(1))
    link = links(cache / shape / "snapshots" / commit, blob) / "model.safetensors"
    is_trusted = shape == "models--org--name" and commit != "main"
    assert cached_content_id(link) == (f"{'c' * 64}@org/name" if is_trusted else "")
    copy = tmp_path / "copy" / "models--org--name" / "blobs" / ("c" * 64)
    save(copy, weights(2))
    assert not cached_content_id(links(tmp_path / "copy" / shape / "snapshots" / commit, copy) / "model.safetensors")
    assert not cached_content_id(blob)


def _restored(file: Path, tensors: dict[str, np.ndarray]) -> None:
    """Change the content in place, and put back the time of modification."""
    before = file.stat()
    with file.open("r+b") as stream:
        save(file.with_name("new"), tensors)
        stream.write(file.with_name("new").read_bytes())
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)


@pytest.mark.parametrize("linked", [False, True])
def test_a_file_changed_under_its_old_time_is_read(linked: bool, tmp_path: Path) -> None:
    file = tmp_path / "m" / "model.safetensors"
    save(file, weights(1))
    os.utime(file, (10**9, 10**9))
    old = alphas(file.parent, tmp_path / "store")
    other = file
    if linked:
        other = tmp_path / "other"
        os.link(file, other)
    _restored(other, weights(2))
    new = alphas(file.parent, tmp_path / "store")
    assert new == alphas(file.parent) != old


def _stored(tmp_path: Path) -> tuple[Path, Path]:
    """A model whose rows are in a store."""
    save(tmp_path / "m/model.safetensors", weights(3))
    alphas(tmp_path / "m", tmp_path / "store")
    return tmp_path / "m", tmp_path / "store"


def _forge(store: Path, table: str, column: str, value: object) -> None:
    """Put a value into every row of a table, under a checksum that holds."""
    key = "k.content, k.part, k.recipe"
    of_table = {
        "results": f"{key}, t.method, t.parameters, t.version, t.value",
        "spectra": f"{key}, t.rows, t.columns, t.slices, t.unit_roundoff, t.state, t.eigenvalues",
        "files": "t.path, t.stamp, t.contents",
    }
    fields = of_table[table]
    join = "" if table == "files" else "JOIN keys AS k ON k.id = t.key"
    place = [field.removeprefix("t.") for field in fields.split(", ")].index(column)
    only_rows = "WHERE method = 'row'" if table == "results" else ""
    rowid = "t.key" if table != "files" else "t.path"
    with closing(sqlite3.connect(store)) as connection, connection:
        rows = list(connection.execute(f"SELECT {rowid}, {fields} FROM {table} AS t {join} {only_rows}"))
        for row_key, *row in rows:
            row[place] = value
            where = f"{rowid.removeprefix('t.')} = ? {only_rows.replace('WHERE', 'AND')}"
            connection.execute(
                f"UPDATE {table} SET {column} = ?, checksum = ? WHERE {where}", (value, checksum(row), row_key)
            )
        assert rows


ROW = {"values": {"alpha": 2.0}, "verdict": "ok", "reason": "", "flags": [], "fit": [2.0, 0.1, 0.05, 0.1, 30]}
BAD_ROWS: list[Any] = [
    {},
    [],
    None,
    7,
    "row",
    ROW | {"values": []},
    ROW | {"values": {"alpha": "2"}},
    ROW | {"values": {"alpha": True}},
    ROW | {"values": {"no_such_metric": 2.0}},
    ROW | {"verdict": "fine"},
    ROW | {"reason": "\x1b[2J"},
    ROW | {"flags": "zero-rows"},
    ROW | {"fit": [2.0]},
    ROW | {"fit": [2.0, 0.1, 0.05, 0.1, "30"]},
    ROW | {"fit": [float("nan"), 0.1, 0.05, 0.1, 30]},
    ROW | {"more": 1},
    {name: value for name, value in ROW.items() if name != "fit"},
]


@pytest.mark.parametrize("value", [*map(json.dumps, BAD_ROWS), "", "{", "[" * 5000], ids=range(len(BAD_ROWS) + 3))
def test_a_forged_row_is_computed_again(value: str, tmp_path: Path) -> None:
    model, store = _stored(tmp_path)
    _forge(store, "results", "value", value)
    assert alphas(model, store) == alphas(model)
    assert alphas(model, store) == alphas(model), "and is mended by that"


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("rows", 7),
        ("rows", "64"),
        ("columns", -60),
        ("slices", 0),
        ("unit_roundoff", float("inf")),
        ("state", "unknown"),
        ("state", "fine"),
        ("state", "zero"),
        ("eigenvalues", b""),
        ("eigenvalues", b"123"),
        ("eigenvalues", np.ones(59).tobytes()),
        ("eigenvalues", np.arange(60.0)[::-1].tobytes()),
        ("eigenvalues", np.append(np.arange(59.0), np.nan).tobytes()),
        ("eigenvalues", np.append(np.arange(59.0), np.inf).tobytes()),
        ("eigenvalues", np.append(-1, np.arange(59.0)).tobytes()),
        ("eigenvalues", bytes(10**6)),
    ],
)
def test_a_forged_spectrum_is_solved_again(column: str, value: object, tmp_path: Path) -> None:
    model, store = _stored(tmp_path)
    _forge(store, "spectra", column, value)
    assert alphas(model, store) == alphas(model)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.sampled_from([*ROW, "alpha"]), inner, max_size=5),
    max_leaves=12,
)


@settings(max_examples=examples(100), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(field=st.sampled_from([*ROW, "all"]), value=_JSON)
def test_no_row_stops_a_run(field: str, value: object, tmp_path: Path) -> None:
    model, store = (tmp_path / "m", tmp_path / "store") if (tmp_path / "m").exists() else _stored(tmp_path)
    _forge(store, "results", "value", json.dumps(value if field == "all" else ROW | {field: value}))
    assert len(alphas(model, store)) == len(NAMES)


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize(
    "contents", ["[]", "{}", "3", '{"layers.0.q.weight": 3}', '{"layers.0.q.weight": "blake3:zz"}', "{"]
)
def test_a_forged_record_of_a_file_stops_nothing(contents: str, tmp_path: Path) -> None:
    model, store = tmp_path / "m", tmp_path / "store"
    save(model / "model.safetensors", weights(3))
    os.utime(model / "model.safetensors", (10**9, 10**9))
    alphas(model, store)
    _forge(store, "files", "contents", contents)
    assert alphas(model, store) == alphas(model)


def test_verify_uses_nothing_of_a_merged_store(tmp_path: Path) -> None:
    """A row of the right shape with invented numbers is believed elsewhere: merging is trusting."""
    model, forged = _stored(tmp_path)
    true = alphas(model)
    with closing(sqlite3.connect(forged)) as connection, connection:
        key = "k.content, k.part, k.recipe"
        fields = f"{key}, t.method, t.parameters, t.version, t.value"
        query = f"SELECT t.key, {fields} FROM results AS t JOIN keys AS k ON k.id = t.key WHERE method = 'row'"
        for row_key, *row in list(connection.execute(query)):
            value = json.loads(row[-1])
            value["values"]["alpha"] = 9.0
            row[-1] = json.dumps(value)
            where = "WHERE key = ? AND method = 'row'"
            changed = (row[-1], checksum(row), row_key)
            connection.execute(f"UPDATE results SET value = ?, checksum = ? {where}", changed)
    with Store.open(tmp_path / "mine") as mine, Store.open(forged, writable=False) as other:
        merge(mine, other)
    assert alphas(model, tmp_path / "mine") == [9.0, 9.0] != true
    assert alphas(model, tmp_path / "mine", verify=True) == true
    assert alphas(model, tmp_path / "mine") == true, "what was computed stands in its place"
    with Store.open(tmp_path / "mine") as mine:
        assert mine.origins() == {}


@pytest.mark.parametrize("verify", [False, True])
def test_a_forged_header_is_believed_without_verify_alone(
    verify: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says which bytes of a streamed file are which tensor: two are exchanged here."""
    tensors = {name: weights(seed)[name] for seed, name in enumerate(NAMES)}
    save(tmp_path / "m/model.safetensors", tensors)
    true = alphas(tmp_path / "m")
    with HubServer() as hub:
        hub.serve_here(tmp_path / "home", monkeypatch)
        hub.add("org/m", {"model.safetensors": (tmp_path / "m/model.safetensors").read_bytes()})
        assert [
            row.metrics["alpha"] for row in wqscore.score("org/m", stream=True, store=None, **QUICK).layers
        ] == true
        wqscore.score("org/m", stream=True, store=tmp_path / "store", **QUICK)
        with Store.open(tmp_path / "store") as store:
            ((shard, (first, second)),) = store.all_headers()
            store.put_headers({shard: (replace(first, offset=second.offset), replace(second, offset=first.offset))})
            store.forget(contents=list(store.contents()))
        scored = wqscore.score("org/m", stream=True, store=tmp_path / "store", verify=verify, **QUICK)
        assert [row.metrics["alpha"] for row in scored.layers] == (true if verify else true[::-1])


def test_verify_reads_what_a_lying_file_system_hides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network disk may give one stamp for two contents; only reading tells."""
    from wqscore.stores.records import FileStamp

    monkeypatch.setattr(FileStamp, "of", lambda file: FileStamp(str(file), 1, 1, 1, 1))
    model, store = tmp_path / "m", tmp_path / "store"
    save(model / "model.safetensors", weights(1))
    old = alphas(model, store)
    save(model / "model.safetensors", weights(2))
    assert alphas(model, store) == old, "the stamp is believed"
    assert alphas(model, store, verify=True) == alphas(model) != old
    assert alphas(model, tmp_path / "new", verify=True) == alphas(model)

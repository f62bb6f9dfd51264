"""`wqscore store`: what it shows, deletes, merges and refuses."""

from __future__ import annotations

import csv
import io
import json
import math
import platform
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from tests.stores.samples import ALPHA, key, results, same, spectrum
from wqscore.stores.records import HeaderTensor, Method, ResultKey, SeenModel
from wqscore.stores.store import Store

Invoke = Callable[..., Result]
#: 2026-06-01.
NOW = "1780272000"
MODELS = [
    SeenModel("org/a", "a" * 40, datetime(2026, 5, 1, tzinfo=UTC), frozenset({key(0).content, key(1).content})),
    SeenModel("./b", "", datetime(2026, 1, 1, tzinfo=UTC), frozenset({key(1).content, key(2).content})),
]


def fill(path: Path, *numbers: int, models: list[SeenModel] = MODELS) -> Path:
    with Store.open(path) as store:
        store.put({key(n): spectrum(n) for n in numbers}, {k: v for n in numbers for k, v in results(n).items()})
        store.put_headers({"0" * 64: (HeaderTensor("w", "F32", (2, 3), 80, 24),)})
        store.put_models(models)
    return path


def rot(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE results SET value = '2.5' WHERE method = 'alpha'")


def info(invoke: Invoke, path: Path) -> dict[str, object]:
    done = invoke("store", "info", "--store", path, "--format", "json")
    assert (done.exit_code, done.stderr) == (0, "")
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_info(invoke: Invoke, tmp_path: Path) -> None:
    path = fill(tmp_path / "store.sqlite", 0, 1, 2)
    found = info(invoke, path)
    assert (found["path"], found["schema"]) == (str(path), 1)
    assert found["size"] == path.stat().st_size
    assert found["models"] == [
        {"model": "org/a", "revision": "a" * 40, "seen": "2026-05-01T00:00:00+00:00"},
        {"model": "./b", "revision": None, "seen": "2026-01-01T00:00:00+00:00"},
    ]
    assert found["spectra"] == [{"recipe": "gram-1/64/evd/1.0", "count": 3}]
    assert found["results"] == [
        {"method": "alpha", "version": 2, "count": 3}, {"method": "facts", "version": 1, "count": 3},
    ]  # fmt: skip
    assert (found["files"], found["headers"], found["merged"], found["damaged"]) == (0, 1, [], {})
    done = invoke("store", "info", "--store", path)
    assert (done.exit_code, done.stderr) == (0, "")
    for line in (str(path), "  models   2", "  spectra  3", "  results  6", "  damaged  nothing"):
        assert line in done.stdout.splitlines()
    for row in (["3", "gram-1/64/evd/1.0"], ["3", "2", "alpha"], ["3", "1", "facts"]):
        assert row in [line.split() for line in done.stdout.splitlines()]


def test_info_lists_where_merged_rows_came_from(invoke: Invoke, tmp_path: Path) -> None:
    fill(tmp_path / "all", 0)
    for name, numbers in {"a": (0, 1), "b": (2, 3, 4)}.items():
        fill(tmp_path / name, *numbers)
        assert invoke("store", "merge", tmp_path / name, "--store", tmp_path / "all").exit_code == 0
    merged: Any = info(invoke, tmp_path / "all")["merged"]
    assert sorted((entry["source"], entry["matrices"]) for entry in merged) == [
        (str(tmp_path / "a"), 1),
        (str(tmp_path / "b"), 3),
    ]
    assert {entry["host"] for entry in merged} == {platform.node()}
    lines = invoke("store", "info", "--store", tmp_path / "all").stdout.splitlines()
    assert "  merged   from 2 stores" in lines
    assert [line.split()[-1] for line in lines if line.split()[:1] == ["3"]][-1] == str(tmp_path / "b")


def test_an_empty_store(invoke: Invoke, tmp_path: Path) -> None:
    Store.open(tmp_path / "s").close()
    found = info(invoke, tmp_path / "s")
    assert (found["oldest"], found["newest"], found["models"], found["spectra"]) == (None, None, [], [])
    assert invoke("store", "info", "--store", tmp_path / "s").exit_code == 0
    done = invoke("store", "export", "--store", tmp_path / "s")
    assert (done.exit_code, len(done.stdout.splitlines())) == (0, 1)


def test_rotten_rows_are_told(invoke: Invoke, tmp_path: Path) -> None:
    path = fill(tmp_path / "s", 0, 1, 2)
    rot(path)
    for command in ("info", "export"):
        done = invoke("store", command, "--store", path)
        assert done.exit_code == 3
        assert done.stderr == (
            f"wqscore: {path}: rows that fail their checksums: 3 of results: "
            "they are computed again when they are needed\n"
        )
    assert "alpha" not in invoke("store", "export", "--store", path).stdout


def test_where_it_is(invoke: Invoke, tmp_path: Path) -> None:
    fill(tmp_path / "wqscore" / "store.sqlite", 0)
    fill(tmp_path / "mine", 0, 1)
    arguments = ("store", "info", "--format", "json")
    by_default = json.loads(invoke(*arguments, XDG_CACHE_HOME=str(tmp_path), WQSCORE_STORE="").stdout)
    by_variable = json.loads(invoke(*arguments, WQSCORE_STORE="mine").stdout)
    assert [found["spectra"][0]["count"] for found in (by_default, by_variable)] == [1, 2]


@pytest.mark.parametrize("command", [("info",), ("export",), ("prune", "--unused")])
def test_a_store_that_is_not_there_is_not_made(invoke: Invoke, tmp_path: Path, command: tuple[str, ...]) -> None:
    done = invoke("store", *command, "--store", tmp_path / "a" / "s")
    assert (done.exit_code, done.stdout) == (3, "")
    assert done.stderr == f"wqscore: no store at {tmp_path}/a/s: name another\n"
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("command", [("info",), ("export",), ("prune", "--unused"), ("merge", "other")])
def test_another_file_is_refused_and_left_as_it_is(invoke: Invoke, tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "table.csv").write_text("model,alpha\n")
    fill(tmp_path / "other", 0)
    done = invoke("store", *command, "--store", "table.csv")
    assert (done.exit_code, done.stdout) == (3, "")
    assert done.stderr == "wqscore: table.csv: is not a store of wqscore: name another store\n"
    assert (tmp_path / "table.csv").read_text() == "model,alpha\n"


def test_prune(invoke: Invoke, tmp_path: Path) -> None:
    path = fill(tmp_path / "s", 0, 1, 2)
    done = invoke("store", "prune", "--older-than", "90d", "--store", path, SOURCE_DATE_EPOCH=NOW)
    assert (done.exit_code, done.stderr) == (0, "")
    first, second, third = done.stdout.splitlines()
    assert first == "forgot ./b, last scored 2026-01-01T00:00:00+00:00"
    assert second == "deleted: all of 1 tensor, 0 files, 0 headers"
    assert third.startswith("size: ")
    with Store.open(path) as store:
        assert store.spectra(list(map(key, range(3)))).keys() == {key(0), key(1)}
    done = invoke("store", "prune", "--keep-last", "0", "--unused", "--store", path)
    assert done.stdout.splitlines()[:2] == [
        "forgot org/a@aaaaaaaaaaaa, last scored 2026-05-01T00:00:00+00:00",
        "deleted: all of 2 tensors, 0 files, 1 header",
    ]


@pytest.mark.parametrize("text", ["", "90", "d", "1.5d", "-3d", "90 d", "90m", "9" * 50 + "d", "999999w", "٣d"])
def test_ages_that_are_none(invoke: Invoke, tmp_path: Path, text: str) -> None:
    path = fill(tmp_path / "s", 0)
    done = invoke("store", "prune", f"--older-than={text}", "--store", path)
    assert done.exit_code == 2
    assert done.stderr == f"wqscore: --older-than is {text!r}: give hours, days or weeks, such as 12h, 90d or 8w\n"


def test_prune_wants_to_know_what(invoke: Invoke, tmp_path: Path) -> None:
    done = invoke("store", "prune", "--store", fill(tmp_path / "s", 0))
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == "wqscore: choose what to delete: --older-than, --keep-last or --unused\n"


def test_merge(invoke: Invoke, tmp_path: Path) -> None:
    """The shards of a cluster's work, one of them cut off, one damaged, one not there, and something else."""
    for i in range(4):
        fill(tmp_path / f"shard{i}", i, i + 1, models=MODELS[:1])
    with Store.open(tmp_path / "shard1") as store:
        store.put(results={ResultKey(key(1), ALPHA): 7.5})
    rot(tmp_path / "shard2")
    (tmp_path / "shard3").write_bytes((tmp_path / "shard3").read_bytes()[:5000])
    (tmp_path / "notes").write_text("none")
    done = invoke("store", "merge", "shard0", "shard1", "notes", "shard2", "shard3", "nowhere", "--store", "new/all")
    assert done.exit_code == 3
    assert done.stdout.splitlines() == [
        "shard0: added 2 spectra, 4 results, 1 header, 1 model",
        "shard1: added 1 spectrum, 2 results, 0 headers, 0 models; 3 were here; "
        "1 are here with another value, which was kept",
        "shard2: added 1 spectrum, 1 result, 0 headers, 0 models; 3 were here; 2 damaged rows left out",
    ]
    refused = done.stderr.splitlines()
    assert refused[0] == "wqscore: notes: is not a store of wqscore: name another store"
    assert refused[1].startswith("wqscore: shard3: is damaged (")
    assert refused[2] == "wqscore: no store at nowhere: name another"
    with Store.open(tmp_path / "new" / "all") as store:
        found = store.spectra(list(map(key, range(5))))
        assert {name: same(found[name], spectrum(n)) for n, name in enumerate(map(key, range(4)))} == dict.fromkeys(
            map(key, range(4)), True
        )
        assert store.results([key(1)], [ALPHA])[ResultKey(key(1), ALPHA)] == results(1)[ResultKey(key(1), ALPHA)]
    assert not list(tmp_path.glob("nowhere*"))
    done = invoke("store", "merge", "shard0", "--store", "new/all")
    assert (done.exit_code, done.stderr) == (0, "")


def test_a_store_is_not_merged_with_itself(invoke: Invoke, tmp_path: Path) -> None:
    fill(tmp_path / "s", 0)
    (tmp_path / "link").symlink_to(tmp_path / "s")
    done = invoke("store", "merge", "link", "--store", "s")
    assert (done.exit_code, done.stderr) == (2, "wqscore: link: is the store itself: name others\n")


def test_export(invoke: Invoke, tmp_path: Path) -> None:
    path = fill(tmp_path / "s", 0, 1)
    special = {"nan": math.nan, "list": [1, -math.inf, 0.1], "text": "a,\n", "flag": True, "none": None}
    methods = {name: Method(name, "{}", 1) for name in special}
    with Store.open(path) as store:
        store.put(results={ResultKey(key(9), methods[name]): value for name, value in special.items()})
    done = invoke("store", "export", "--store", path)
    assert (done.exit_code, done.stderr) == (0, "")
    rows = list(csv.DictReader(io.StringIO(done.stdout, newline="")))
    alphas = [row for row in rows if row["method"] == "alpha"]
    assert {(row["model"], row["revision"], row["content"], float(row["value"])) for row in alphas} == {
        ("org/a", "a" * 40, key(0).content, results(0)[ResultKey(key(0), ALPHA)]),
        ("org/a", "a" * 40, key(1).content, results(1)[ResultKey(key(1), ALPHA)]),
        ("./b", "", key(1).content, results(1)[ResultKey(key(1), ALPHA)]),
    }
    assert (alphas[0]["part"], alphas[0]["recipe"]) == ("[q]", "gram-1/64/evd/1.0")
    assert (alphas[0]["parameters"], alphas[0]["version"]) == ('{"floor":1e-05,"seed":0}', "2")
    assert {row["method"]: (row["model"], row["value"]) for row in rows if row["content"] == key(9).content} == {
        "nan": ("", ""), "list": ("", "[1, null, 0.1]"), "text": ("", "a,\n"), "flag": ("", "true"), "none": ("", ""),
    }  # fmt: skip
    document = json.loads(invoke("store", "export", "--store", path, "--format", "json").stdout)
    assert [(m["model"], m["contents"]) for m in document["models"]] == [
        (m.label, sorted(m.contents)) for m in MODELS
    ]
    values = {(r["content"], r["method"]): r["value"] for r in document["results"]}
    assert values[key(9).content, "list"] == [1, None, 0.1]
    assert values[key(1).content, "facts"]["interval"][1] is None
    assert len(values) == 2 * 2 + len(special)


def test_help_and_no_command(invoke: Invoke) -> None:
    done = invoke("store", "--help")
    assert done.exit_code == 0
    for command in ("info", "prune", "merge", "export"):
        assert command in done.output
        assert "--store" in invoke("store", command, "--help").output
    assert invoke("store", "vacuum").exit_code == 2
    assert invoke("store", "merge").exit_code == 2


def test_a_pipe_that_is_closed(wqscore: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    path = fill(tmp_path / "s", *range(3))
    with Path("/dev/full").open("w") as full:
        done = wqscore("store", "export", "--store", path, stdout=full)
    assert (done.returncode, done.stderr) == (
        3,
        "wqscore: standard output: can't be written: No space left on device\n",
    )

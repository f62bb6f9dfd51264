"""Seeds of what stands beside weights, written by wqscore itself: baselines, sites, tables, stores."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

import wqscore
from wqscore.leaderboards.building import build
from wqscore.refs.model_list import ListedModel, ModelList

Seeds = Iterator[tuple[str, bytes]]
_POLICY = b'rules = ["alpha > 6", "share(random) > 0.2"]\npreset = "default"\nmetrics = ["core"]\nbase = "./here"\n'


def baselines() -> Seeds:
    with tempfile.TemporaryDirectory() as folder:
        document = json.loads(wqscore.score(_model(Path(folder)), store=None, bootstrap=0, gof=0).to_json())
    document |= {"layers": [], "skipped": [], "bootstrap": 1000, "gof": 1000}
    document["summary"] = {
        name: document["summary"][name]
        for name in ("alpha", "log_norm", "stable_rank")
        if name in document["summary"]
    }
    yield "score", json.dumps(document).encode()
    several = {
        "schema_version": 6,
        "preset": {"name": "default"},
        "seed": 0,
        "metrics": ["alpha"],
        "models": [document],
    }
    yield "ranking", json.dumps(several).encode()


def _model(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    weight = rng.standard_t(3, (64, 60)).astype("f4")
    save_file({"layers.0.q.weight": weight}, folder / "model.safetensors")
    return folder


def policies() -> Seeds:
    yield "all", _POLICY


def rules() -> Seeds:
    yield "kinds", b"alpha > 6\ndelta(alpha.median) >= 0.3\nshare(random) > 1_0.5e-1\nnon_finite > 0"


def tables() -> Seeds:
    yield "known", b"model,accuracy,f1\norg/a,0.9,1\norg/b,nan,2\n'=1+1,3,4\nc,2,5\nd,1,3\n"
    yield "ranking", b"model,status,alpha\r\na,ranked,2.1\r\nb,failed,\r\n"


def _site() -> dict[str, bytes]:
    """The files of a site of one model."""
    with tempfile.TemporaryDirectory() as folder:
        model, site = Path(folder) / "model", Path(folder) / "site"
        model.mkdir()
        _model(model)
        listed = ListedModel(str(model), ("toy",), family="toys")
        build([ModelList("toys", "Toys", None, (listed,))], site, settings=wqscore.Settings(jobs=1, store=None))
        return {file.relative_to(site).as_posix(): file.read_bytes() for file in site.rglob("*") if file.is_file()}


def site_files() -> dict[str, Seeds]:
    """The seeds of each target that reads one of them."""
    files = _site()
    record = json.loads(
        next(data for name, data in files.items() if name.startswith("data/models/") and name.endswith(".json"))
    )
    record["name"] = "toy"
    record["figures"] = dict(list(record["figures"].items())[:3])
    table = json.loads(files["data/models.json"])
    return {
        "record": iter([("record", json.dumps(record).encode())]),
        "history": iter([("one-night", _short(json.loads(files["data/history.json"])))]),
        "manifest": iter([("site", files["data/files.json"])]),
        "site_table": iter([("site", json.dumps(table).encode())]),
        "site_csv": iter([("site", files["data/models.csv"])]),
        "feed": iter([("site", files["feed.xml"])]),
        "page": iter(
            [("links", b"<html><a id='a' href='#a'>x</a><a href='data/models.csv'>y</a><img src='a.png'></html>")]
        ),
    }


def _short(history: dict[str, Any]) -> bytes:
    for points in history["models"].values():
        for point in points:
            point["values"] = dict(list(point["values"].items())[:3])
    return json.dumps(history).encode()


def stores() -> Seeds:
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder) / "store.sqlite"
        wqscore.score(_model(Path(folder)), store=kept, bootstrap=0, gof=0)
        with closing(sqlite3.connect(kept, isolation_level=None)) as connection:
            for command in ("journal_mode = DELETE", "page_size = 512"):
                connection.execute(f"PRAGMA {command}")
            connection.execute("VACUUM")
        yield "one-matrix", kept.read_bytes()

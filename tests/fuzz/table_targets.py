"""Targets that read what stands beside weights: baselines, policies, tables, the files of a site, a store."""

from __future__ import annotations

import json
from pathlib import Path

from tests.fuzz.planning import written
from wqscore.gating.baseline import load_baseline
from wqscore.gating.policy import load_policy, read_rules
from wqscore.leaderboards.checking import check_site
from wqscore.leaderboards.folder import HISTORY, MANIFEST, listed_files, read_history
from wqscore.leaderboards.record_files import read_record, record_path
from wqscore.presets.registry import find_preset
from wqscore.refs.reference import ModelRef
from wqscore.stores.overview import overview
from wqscore.stores.store import Store
from wqscore.studies.known.known import choose_known
from wqscore.studies.known.score_table import join, read_table, single_table

_RULES = ("delta(alpha) > 0.1", "relative(log_norm.mean) > 0.1", "delta(stable_rank) > 1", "share(random) > 0.2")
_PAGE = "index.html"
_TABLE, _CSV, _FEED = "data/models.json", "data/models.csv", "feed.xml"
_MANIFEST = {"kind": "wqscore leaderboard", "files": [_PAGE, _TABLE, _CSV, _FEED, HISTORY]}


def baseline(data: bytes, folder: Path) -> None:
    file = written(folder, "baseline.json", data)
    ref = ModelRef("org/name", "hub", repo="org/name")
    load_baseline(file, ref, find_preset("default"), 0, read_rules(_RULES))


def policy(data: bytes, folder: Path) -> None:
    load_policy(written(folder, "policy.toml", data))


def rules(data: bytes, folder: Path) -> None:
    """Rules as they are typed, one a line."""
    read_rules(data.decode("utf-8", "replace").splitlines())


def table(data: bytes, folder: Path) -> None:
    """A CSV file of published results, or a ranking: joined with itself, and searched for models."""
    found = read_table(written(folder, "known.csv", data))
    single_table(found, ["model"])
    for column in found.columns[:8]:
        found.words(column)
    join(found, found, found.columns[:1])
    choose_known(found, [ModelRef(name, "hub", repo=name) for name in found.words("model")[:8]], found.columns[-1])


def history(data: bytes, folder: Path) -> None:
    (folder / "data").mkdir(exist_ok=True)
    written(folder, HISTORY, data)
    read_history(folder).before("2100-01-01")


def record(data: bytes, folder: Path) -> None:
    (folder / "data/models").mkdir(parents=True, exist_ok=True)
    written(folder, record_path("toy"), data)
    read_record(folder, "toy", "toy")


def manifest(data: bytes, folder: Path) -> None:
    (folder / "data").mkdir(exist_ok=True)
    written(folder, MANIFEST, data)
    listed_files(folder)


def site_table(data: bytes, folder: Path) -> None:
    _check_site(folder, _TABLE, data)


def site_csv(data: bytes, folder: Path) -> None:
    _check_site(folder, _CSV, data)


def feed(data: bytes, folder: Path) -> None:
    _check_site(folder, _FEED, data)


def page(data: bytes, folder: Path) -> None:
    _check_site(folder, _PAGE, data)


def _check_site(folder: Path, name: str, data: bytes) -> None:
    """Check a site of which one file is the input; the findings are lines that a person reads."""
    (folder / "data").mkdir(exist_ok=True)
    written(folder, MANIFEST, json.dumps(_MANIFEST).encode())
    written(folder, name, data)
    for line in check_site(folder):
        assert len(line) <= 2000, f"a finding of {len(line)} characters"


def store(data: bytes, folder: Path) -> None:
    """A store that someone else made: opened, counted and read."""
    for left in folder.glob("store*"):
        left.unlink()
    with Store.open(written(folder, "store.sqlite", data), writable=False) as opened:
        overview(opened)
        for each in (opened.all_spectra, opened.all_results, opened.all_files, opened.all_headers):
            for _ in each():
                pass

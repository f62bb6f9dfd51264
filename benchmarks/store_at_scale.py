"""The store at ten million rows: size on disk, look-ups, insertions, `store info`, and a merge of 100 shards.

A generator fills a store with models on the Hub of 200 matrices: a row of keys, one of spectra and two of results (a
row of `layers.csv`, and the digest of the values) for each, with texts as long as real ones. Spectra are cut to 16
eigenvalues, since 8 bytes for each eigenvalue are known beforehand and 10 million rows would not fit the disk. Each
step is a process of its own, so that its peak memory is its own. "Cold": the operating system was asked to forget the
file before (Linux).

Usage: python -m benchmarks.store_at_scale [--models N] [--folder FOLDER]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np

from benchmarks.machine import machine_line
from benchmarks.processes import run, wqscore
from wqscore.metrics.registry import CORE
from wqscore.spectra.spectrum import Spectrum
from wqscore.stores.records import HeaderTensor, Method, ResultKey, SeenModel, SpectrumKey, Value, canonical
from wqscore.stores.store import Store

MODELS, MATRICES, EIGENVALUES, SHARDS, LOOKED_UP = 12_500, 200, 16, 100, 30
#: Tables' rows for each matrix: a key, a spectrum, a row and a digest.
ROWS = 4
SHAPE = (4096, 4096)
RECIPE = canonical(
    {"code": "5e" * 32, "exact": False, "gram": 512, "scale": 1.0, "solver": "dsyevd of OpenBLAS 0.3.34.481.3"}
)
PART = canonical(
    {"cut": f"Cut(shape={SHAPE}, index=(), axes=None)", "dtype": ["BF16", 2.0**-9], "shape": [1, *SHAPE]}
)
ROW = Method("row", canonical({"code": "82" * 32, "constants": "x" * 230}), 2)
DIGEST = Method("digest", canonical({}), 1)

Entry = tuple[SpectrumKey, Spectrum, dict[ResultKey, Value]]


def entries(model: int, count: int = MATRICES) -> list[Entry]:
    """The keys, spectra and results of one model."""
    rng = np.random.default_rng(model)
    shard, found = rng.bytes(32).hex(), []
    for number in range(count):
        start = number * SHAPE[0] * SHAPE[1] * 2
        name = f"model.layers.{number // 7}.self_attn.q_proj.weight@{start}:BF16{list(SHAPE)}"
        key = SpectrumKey(f"lfs:{shard}:{name}", PART, RECIPE)
        values = dict(zip(CORE, rng.random(len(CORE)).tolist(), strict=True))
        fit = [*rng.random(4).tolist(), 188]
        row: Value = {"values": {**values}, "verdict": "ok", "reason": "", "flags": [], "fit": fit}
        spectrum = Spectrum(np.sort(rng.pareto(2, EIGENVALUES)), *SHAPE, 1, 2.0**-9, "finite")
        found.append((key, spectrum, {ResultKey(key, ROW): row, ResultKey(key, DIGEST): rng.bytes(32).hex()}))
    return found


def keep(store: Store, models: Iterator[int], count: int = MATRICES) -> None:
    """Write models, each in one transaction, with their headers and that they were seen."""
    for model in models:
        found = entries(model, count)
        store.put({key: spectrum for key, spectrum, _ in found}, _results(found))
        contents = frozenset(key.content for key, _, _ in found)
        shard = found[0][0].content.split(":")[1]
        tensors = [
            HeaderTensor(f"model.layers.{i}.self_attn.q_proj.weight", "BF16", SHAPE, i, 9) for i in range(count)
        ]
        store.put_headers({shard: tensors})
        store.put_models([SeenModel(f"org/model-{model}", "a" * 40, datetime.now(UTC), contents)])


def _results(found: list[Entry]) -> dict[ResultKey, Value]:
    return {key: value for _, _, results in found for key, value in results.items()}


def fill(path: Path, models: int) -> None:
    """Fill a store."""
    with Store.open(path) as store:
        keep(store, iter(range(models)))


def shards(folder: Path, models: int) -> None:
    """Write the stores of 100 machines, each of one model that no other store has."""
    for number in range(SHARDS):
        with Store.open(folder / f"part-{number}.sqlite") as store:
            keep(store, iter([models + number]))


def look_up(path: Path, models: int) -> None:
    """Print milliseconds: opening and one model's rows, cold, and the same rows again; and a tensor added."""
    rng = np.random.default_rng(0)
    chosen = rng.choice(models, LOOKED_UP, replace=False).tolist()
    taken: dict[str, list[float]] = {"cold": [], "warm": [], "a tensor": [], "a model": []}
    for number, model in enumerate(chosen):
        wanted = entries(model)
        keys = [key for key, _, _ in wanted]
        forget(path)
        start = perf_counter()
        with Store.open(path) as store:
            for name in ("cold", "warm"):
                spectra, results = store.spectra(keys), store.results(keys, [ROW, DIGEST])
                taken[name].append(perf_counter() - start)
                assert results == _results(wanted)
                assert all(np.array_equal(spectra[key].eigenvalues, found.eigenvalues) for key, found, _ in wanted)
                start = perf_counter()
            new = entries(10 * models + number, MATRICES + 1)
            for name, part in (("a tensor", new[:1]), ("a model", new[1:])):
                start = perf_counter()
                store.put({key: spectrum for key, spectrum, _ in part}, _results(part))
                taken[name].append(perf_counter() - start)
    print(json.dumps({name: [1e3 * median(all_), 1e3 * max(all_)] for name, all_ in taken.items()}))


def forget(path: Path) -> None:
    """Ask the operating system to drop what it holds of a file in memory."""
    for name in (path, path.with_name(f"{path.name}-wal")):
        with suppress(FileNotFoundError, AttributeError):
            file = os.open(name, os.O_RDONLY)
            os.fsync(file)
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(file)


def step(what: str, command: list[str], rows: int = 0) -> None:
    """Run a step and print its line."""
    usage = run(command)
    each = f"{1e6 * usage.wall / rows:>9.1f}" if rows else ""
    print(f"{what:>44} {usage.wall:>9.2f} {usage.cpu:>9.2f} {usage.peak_mb:>9.0f} {each}", flush=True)


def sizes(path: Path) -> None:
    """Print the bytes that each table and index takes, in all and for each of its rows."""
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT name, sum(pgsize), sum(payload) FROM dbstat GROUP BY name").fetchall()
        (matrices,) = connection.execute("SELECT count(*) FROM keys").fetchone()
    print(f"{'table':>30} {'MB':>9} {'filled':>7} {'bytes a matrix':>15}")
    for name, size, payload in sorted(found, key=lambda each: -each[1]):
        if size > path.stat().st_size / 1000:
            print(f"{name:>30} {size / 1e6:>9.1f} {payload / size:>7.0%} {size / matrices:>15.0f}")


def main() -> None:
    """Print the tables, or do one step."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", type=int, default=MODELS)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--step", choices=["fill", "shards", "look_up", "sizes"])
    given = parser.parse_args()
    if given.step in ("fill", "look_up"):
        globals()[given.step](given.folder / "large.sqlite", given.models)
    elif given.step == "shards":
        shards(given.folder, given.models)
    else:
        measure(given.models, given.folder)


def measure(models: int, home: Path) -> None:
    """Fill, measure and delete a store."""
    with tempfile.TemporaryDirectory(dir=home) as name:
        folder, rows = Path(name), ROWS * MATRICES * models
        large, parts = folder / "large.sqlite", [folder / f"part-{number}.sqlite" for number in range(SHARDS)]
        if shutil.disk_usage(folder).free < 1200 * rows:
            sys.exit(f"{folder}: less than {1.2e-6 * rows:,.0f} GB free")
        this = [
            sys.executable,
            "-m",
            "benchmarks.store_at_scale",
            "--models",
            str(models),
            "--folder",
            name,
            "--step",
        ]
        print(f"{machine_line(['wqscore', 'numpy'])}, SQLite {sqlite3.sqlite_version}")
        print(f"{models:,} models × {MATRICES} matrices: {rows:,} rows")
        print(f"{'':>44} {'seconds':>9} {'cpu s':>9} {'peak MB':>9} {'µs a row':>9}")
        step("filled, a transaction a model", [*this, "fill"], rows)
        print(f"{large.stat().st_size / 1e9:.2f} GB")
        sizes(large)
        look_up_in_process(this)
        step("store info", wqscore("store", "info", "--store", str(large)), rows)
        step(f"{SHARDS} shards of a model written", [*this, "shards"])
        merging = wqscore("store", "merge", *map(str, parts), "--store")
        of_shards = SHARDS * MATRICES * ROWS
        step(f"{SHARDS} shards merged into a new store", [*merging, str(folder / "all.sqlite")], of_shards)
        step(f"{SHARDS} shards merged into the large one", [*merging, str(large)], of_shards)
        step("the same again", [*merging, str(large)], of_shards)


def look_up_in_process(this: list[str]) -> None:
    """Print what `look_up` found."""
    import subprocess

    found = json.loads(subprocess.run([*this, "look_up"], stdout=subprocess.PIPE, check=True).stdout)
    print(f"{'milliseconds':>44} {'median':>9} {'most':>9}")
    names = {
        "cold": f"opened, and a model's {MATRICES} rows read, cold",
        "warm": "the same rows again",
        "a tensor": "a matrix added, one transaction",
        "a model": f"{MATRICES} matrices added, one transaction",
    }
    for name, (middle, most) in found.items():
        print(f"{names[name]:>44} {middle:>9.2f} {most:>9.2f}")


if __name__ == "__main__":
    main()

"""`kill -9` at random moments: the store opens, keeps its results, and the next run gives the same scores."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from wqscore.stores.errors import StoreError
from wqscore.stores.rows import result_fields, spectrum_fields
from wqscore.stores.store import Store

COMMAND = str(Path(sys.executable).with_name("wqscore"))
MATRICES = 12
COMMANDS = (("score", "a"), ("rank", "a", "b", "--no-report"))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two models that have half of their matrices in common."""
    folder = tmp_path_factory.mktemp("models")
    for name, own in (("a", 0), ("b", 1)):
        seeds = [(0 if i % 2 else own, i) for i in range(MATRICES)]
        tensors = {
            f"layers.{i}.fc1.weight": np.random.default_rng(seed).standard_t(3, (320, 240)).astype("f4")
            for i, seed in enumerate(seeds)
        }
        (folder / name).mkdir()
        save_file(tensors, folder / name / "model.safetensors")
        old = time.time() - 60
        os.utime(folder / name / "model.safetensors", (old, old))
    return folder


def started(models: Path, command: tuple[str, ...], *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [COMMAND, *command, "--format", "csv", "-q", *options],
        cwd=models,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def rows(store: Path) -> set[object]:
    """All that a store has, as another process sees it."""
    try:
        with Store.open(store, writable=False) as opened:
            spectra = {spectrum_fields(*found) for found in opened.all_spectra()}
            return spectra | {result_fields(*found) for found in opened.all_results()}
    except StoreError as error:
        # It may be made between the two looks at it.
        assert str(error).startswith("no store at") or not store.exists(), "a store is there whole or not at all"
        return set()


def killed(process: subprocess.Popen[str], store: Path, enough: int, pause: float) -> set[object]:
    """Kill a run a moment after the store has some rows; returns what it had before the kill."""
    while process.poll() is None and len(rows(store)) < enough:
        time.sleep(0.01)
    time.sleep(pause)
    before = rows(store)
    process.kill()
    process.communicate()
    return before


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("moments", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_a_run_killed_at_any_moment_costs_only_time(models: Path, tmp_path: Path, moments: int) -> None:
    chance = random.Random(moments)
    expected = {command: started(models, command, "--no-store").communicate() for command in COMMANDS}
    assert all(output.count("\n") > 1 for output, _ in expected.values())
    in_the_middle = 0
    for moment in range(moments):
        command = COMMANDS[moment % 2]
        store = tmp_path / f"{moment}.sqlite"
        # Two rows a matrix; none is a kill while the program starts, or makes its store.
        enough, pause = chance.randrange(2 * MATRICES), chance.random() / 20
        run = started(models, command, "--store", str(store))
        before = killed(run, store, enough, pause)
        in_the_middle += 0 < len(before) < 2 * MATRICES and run.returncode == -9
        assert before <= rows(store), "a row that had been seen is lost"
        if store.exists():
            with closing(sqlite3.connect(store)) as connection:
                assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        again = started(models, command, "--store", str(store))
        assert again.communicate() == expected[command]
        assert again.returncode == 0
        assert before <= rows(store)
    assert in_the_middle, "no kill came while rows were written"

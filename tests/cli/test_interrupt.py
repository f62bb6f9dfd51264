"""Ctrl-C: scores so far are kept, whatever the threads are doing."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.cli.conftest import COMMAND, environment, toy


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A model that is scored in a moment, and one that takes most of a minute."""
    root = tmp_path_factory.mktemp("models")
    large = root / "large"
    large.mkdir()
    matrix = np.random.default_rng(0).standard_normal((2500, 2500)).astype("f2")
    save_file({f"layers.{i}.fc.weight": matrix + np.float16(i) for i in range(8)}, large / "model.safetensors")
    return toy(root / "small"), str(large)


def start(*arguments: str, cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(COMMAND), *arguments],
        cwd=cwd,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def wait_until_busy(process: subprocess.Popen[str]) -> None:
    """Until it has taken a second of processor time more than when this was called."""

    def seconds() -> float:
        ticks = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
        return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")

    before = seconds()
    while seconds() < before + 1:
        time.sleep(0.05)
        assert process.poll() is None


def lines(process: subprocess.Popen[str]) -> Iterator[str]:
    assert process.stderr is not None
    return iter(process.stderr.readline, "")


def test_what_was_scored_before_is_kept(models: tuple[str, str], tmp_path: Path) -> None:
    # One thread, so that what is left of the scoring does not slow the report down.
    process = start("rank", *models, "--out", "report", "--format", "csv", "--jobs", "1", cwd=tmp_path)
    assert next(lines(process)).startswith(f"{models[0]}: 4 matrices")
    wait_until_busy(process)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=300)
    assert process.returncode == 130
    interrupted, conclusion, report = stderr.splitlines()
    assert interrupted == "wqscore: interrupted: keeping what was scored before"
    assert conclusion.startswith("small is alone in its family")
    assert conclusion.endswith("1 model could not be scored (large: interrupted before it was scored).")
    assert report == "report: report/index.html"
    text = (tmp_path / "report/ranking.csv").read_text(encoding="utf-8")
    assert stdout == text
    first, second = csv.DictReader(text.splitlines())
    assert (first["model"], first["rank"], first["status"]) == (models[0], "1", "ranked")
    assert (second["model"], second["rank"], second["status"]) == (models[1], "", "failed")
    assert second["reason"] == "interrupted before it was scored"
    layers = list(csv.DictReader((tmp_path / "report/layers.csv").read_text(encoding="utf-8").splitlines()))
    assert [layer["name"] for layer in layers] == [f"layers.{i}.fc1.weight" for i in range(4)]
    json.loads((tmp_path / "report/ranking.json").read_text(encoding="utf-8"), parse_constant=pytest.fail)


@pytest.mark.parametrize(("command", "jobs"), [("rank", "1"), ("score", "2")])
def test_with_nothing_scored_nothing_is_written(
    models: tuple[str, str], tmp_path: Path, command: str, jobs: str
) -> None:
    process = start(command, models[1], "--out", "report", "--jobs", jobs, cwd=tmp_path)
    # Past the imports, which take more than this.
    for _ in range(4):
        wait_until_busy(process)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=300)
    assert (process.returncode, stdout, stderr) == (130, "", "wqscore: interrupted\n")
    assert not (tmp_path / "report").exists()

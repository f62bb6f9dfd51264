"""`wqscore track`: what it prints and writes, and its exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from typer.testing import Result

from tests.cli.conftest import toy

Invoke = Callable[..., Result]
QUICK = ("--metrics", "log_norm", "--bootstrap", "0", "--gof", "0", "--jobs", "1", "--no-store", "-q")


def run(folder: Path) -> Path:
    for step in (1000, 20, 3):
        toy(folder / f"step_{step}", seed=step, layers=2)
    (folder / "known.csv").write_text("step,accuracy\n3,0.1\n20,0.2\n1000,0.3\n")
    return folder


def test_a_table_and_a_sentence(tmp_path: Path, invoke: Invoke) -> None:
    done = invoke("track", run(tmp_path / "a"), *QUICK)
    assert (done.exit_code, done.stderr) == (0, "")
    assert "a over its steps" in done.stdout
    assert "3 checkpoints of 3 scored" in done.stdout


def test_json_with_known_figures_and_the_files_of_out(tmp_path: Path, invoke: Invoke) -> None:
    folder = run(tmp_path / "a")
    known = ("--known", folder / "known.csv", "--y", "accuracy", "--better", "higher")
    done = invoke("track", folder, *known, "--format", "json", "--out", "out", *QUICK, SOURCE_DATE_EPOCH="0")
    assert done.exit_code == 0, done.stderr
    assert (tmp_path / "out" / "track.json").read_text() == done.stdout
    told = json.loads(done.stdout)
    assert [each["step"] for each in told["steps"]] == [3, 20, 1000]
    assert [each["x"] for each in told["known"]] == ["log_norm"]


def test_two_with_one_step_are_wrong_usage(tmp_path: Path, invoke: Invoke) -> None:
    toy(run(tmp_path / "a") / "ckpt-20")
    done = invoke("track", tmp_path / "a", *QUICK)
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1
    assert "step 20 has two checkpoints" in done.stderr


def test_exit_codes_of_what_can_not_be_scored(tmp_path: Path, invoke: Invoke) -> None:
    (tmp_path / "a" / "step_1").mkdir(parents=True)
    (tmp_path / "a" / "step_1" / "model.safetensors").write_bytes(b"x")
    done = invoke("track", "a", *QUICK)
    assert done.exit_code == 3
    toy(tmp_path / "a" / "step_2")
    done = invoke("track", "a", *QUICK)
    assert done.exit_code == 3
    assert "1 checkpoint of 2 scored" in done.stdout and "step 1: a/step_1/model.safetensors" in done.stdout
    (tmp_path / "a" / "step_1" / "model.safetensors").unlink()
    (tmp_path / "a" / "step_1").rmdir()
    assert invoke("track", "a", *QUICK).exit_code == 0
    missing = invoke("track", "b", *QUICK)
    assert (missing.exit_code, missing.stderr.count("\n")) == (2, 1)


def test_condensation_beside_the_metrics(tmp_path: Path, invoke: Invoke) -> None:
    folder = run(tmp_path / "a")
    for step in (3, 20, 1000):
        fc2 = np.random.default_rng(step).standard_normal((64, 96)).astype("f4")
        toy(folder / f"step_{step}", seed=step, layers=1, **{"layers.0.fc2.weight": fc2})
    known = ("--known", folder / "known.csv", "--condensation", "--activation", "relu")
    done = invoke("track", folder, *known, "--format", "json", "--out", "out", *QUICK)
    assert done.exit_code == 0, done.stderr
    stored = [each["stored_width"] for each in json.loads(done.stdout)["steps"]]
    assert stored == [96, 96, 96]
    assert "effective_width" in (tmp_path / "out" / "track.csv").read_text().splitlines()[0]
    assert "effective width at a tolerance" in (tmp_path / "out" / "track.md").read_text()
    assert 'id="condensation"' in (tmp_path / "out" / "index.html").read_text()


def test_without_a_known_activation_the_rest_is_told(tmp_path: Path, invoke: Invoke) -> None:
    done = invoke("track", run(tmp_path / "a"), "--condensation", *QUICK)
    assert done.exit_code == 0
    assert "3 checkpoints of 3 scored" in done.stdout and "without an effective width: " in done.stdout
    for wrong in (("--activation", "relu"), ("--condensation", "--activation", "rleu")):
        done = invoke("track", tmp_path / "a", *wrong, *QUICK)
        assert (done.exit_code, done.stderr.count("\n")) == (2, 1)

"""`wqscore crosscheck`: both engines side by side, and one line when the other can't be run."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import distributions
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import COMMAND, environment, toy
from tests.hub_server import HubServer

ROOT = Path(__file__).parent.parent.parent
Process = Callable[..., subprocess.CompletedProcess[str]]

needs_weightwatcher = pytest.mark.oracle("weightwatcher", "torch")


@needs_weightwatcher
def test_a_real_model_agrees_in_every_number(checkpoints: Path, wqscore: Process) -> None:
    done = wqscore("crosscheck", checkpoints / "all-MiniLM-L6-v2", "--format", "csv", "--quiet")
    assert (done.returncode, done.stderr) == (0, "")
    rows = list(csv.DictReader(done.stdout.splitlines()))
    matrices = [row for row in rows if row["name"] and row["column"]]
    assert len(matrices) == 39 * 14
    assert {row["verdict"] for row in matrices} == {"same"}
    (alpha,) = [row for row in rows if row["column"] == "alpha_mean"]
    assert f"{float(alpha['wqscore']):.4f}" == f"{float(alpha['weightwatcher']):.4f}" == "4.1171"


@needs_weightwatcher
def test_a_single_file_in_a_folder_full_of_traps(tmp_path: Path, wqscore: Process) -> None:
    # Nothing beside the checkpoint is imported, whatever it is called.
    for name in ("weightwatcher", "torch", "json", "sitecustomize"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported')")
    done = wqscore("crosscheck", Path(toy(tmp_path / "model")) / "model.safetensors")
    assert done.returncode == 0, done.stderr
    assert "4 of 4 matrices the same in all 14 columns, to 1e-06 relative" in done.stdout
    assert done.stderr.splitlines()[1].endswith("model.safetensors: now WeightWatcher, which takes longer")
    assert "imported" not in done.stderr


@needs_weightwatcher
def test_a_difference_is_told_and_is_no_failure(tmp_path: Path, wqscore: Process) -> None:
    # WeightWatcher fits fewer than 20 eigenvalues by rules of its own.
    small = np.random.default_rng(5).standard_t(3, (40, 12)).astype("f4")
    done = wqscore("crosscheck", toy(tmp_path / "model", layers=2, **{"head.weight": small}), "-q")
    assert (done.returncode, done.stderr) == (0, "")
    assert "2 of 3 matrices the same" in done.stdout
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("head.weight differs: ")]
    assert line.endswith("(WeightWatcher has another rule for fewer than 20 eigenvalues)")


@needs_weightwatcher
def test_a_nan_is_one_line_and_exit_code_three(tmp_path: Path, wqscore: Process) -> None:
    bad = np.full((64, 48), np.nan, dtype="f4")
    folder = toy(tmp_path / "model", layers=1, **{"bad.weight": bad})
    done = wqscore("crosscheck", folder, "--quiet")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == (
        f"wqscore: {folder}: WeightWatcher failed: ValueError: array must not contain infs or NaNs: one such matrix "
        "ends its whole run, and `wqscore score` names it\n"
    )


@needs_weightwatcher
def test_a_model_of_the_hub(tmp_path: Path) -> None:
    weights = Path(toy(tmp_path / "model")) / "model.safetensors"
    with HubServer() as hub:
        hub.add("org/name", {"model.safetensors": weights.read_bytes()}, revisions={"main": "a" * 40})
        done = subprocess.run(
            [str(COMMAND), "crosscheck", "org/name", "--format", "json", "--quiet"],
            env=hub.environment(tmp_path / "home"),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    assert (document["model"], document["revision"], document["weightwatcher"]) == ("org/name", "a" * 40, "0.7.7")
    assert [matrix["verdict"] for matrix in document["matrices"]] == ["same"] * 4


@needs_weightwatcher
def test_an_interrupt_ends_weightwatcher_too(tmp_path: Path) -> None:
    command = [str(COMMAND), "crosscheck", toy(tmp_path / "model")]
    process = subprocess.Popen(
        command, cwd=tmp_path, env=environment(TMPDIR=str(tmp_path)), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        encoding="utf-8",
    )  # fmt: skip
    assert process.stderr is not None
    assert any("now WeightWatcher" in line for line in iter(process.stderr.readline, ""))
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while not (child := children.read_text().split()):
        time.sleep(0.02)
        assert process.poll() is None
    # To the command alone, as a scheduler does it; a terminal tells both.
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=300)
    assert (process.returncode, stderr) == (130, "wqscore: interrupted\n")
    assert not runs(child[0])
    assert not list(tmp_path.glob("wqscore-*"))


def runs(pid: str) -> bool:
    """Whether a process has not ended; one that nobody has collected yet has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    ("version", "message"),
    [
        ({"weightwatcher": None}, "WeightWatcher can't be run, weightwatcher is not installed"),
        ({"torch": None}, "WeightWatcher can't be run, torch is not installed"),
        ({"weightwatcher": "0.6.4"}, "WeightWatcher 0.6.4 is not 0.7"),
        ({"powerlaw": "2.0.0"}, "WeightWatcher 0.7.7 does not work with powerlaw 2.0.0, which must be below 2"),
    ],
)
def test_without_the_extra_one_line_says_what_to_install(
    version: dict[str, str | None], message: str, tmp_path: Path
) -> None:
    packages = site_packages(
        tmp_path / "packages", {"weightwatcher": "0.7.7", "torch": "2.6", "powerlaw": "1.5"} | version
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", "from wqscore.cli import app; app()", "crosscheck", toy(tmp_path / "model")],
        env=environment(PYTHONPATH=f"{packages}{os.pathsep}{ROOT}"),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"wqscore: {message}: pip install 'wqscore[weightwatcher]'\n"


def site_packages(folder: Path, versions: dict[str, str | None]) -> Path:
    """A folder with every installed package linked into it, but of these only what says which version they are."""
    folder.mkdir()
    for place in {Path(str(distribution.locate_file(""))) for distribution in distributions()}:
        for entry in place.iterdir() if place.is_dir() and place != ROOT else ():
            if not entry.name.startswith(tuple(versions)) and not (folder / entry.name).exists():
                (folder / entry.name).symlink_to(entry)
    for name, version in versions.items():
        if version is not None:
            info = folder / f"{name}-{version}.dist-info"
            info.mkdir()
            (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    return folder

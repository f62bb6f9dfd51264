"""`wqscore plan`: each model's figures and their total, in every format, and the exit codes."""

from __future__ import annotations

import csv
import inspect
import io
import json
import math
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors import safe_open
from typer.testing import Result

from tests.cli.conftest import COMMAND, InTerminal, toy
from tests.hub_server import HubServer
from wqscore.cli.plan import plan
from wqscore.studies.costs.own import STUDIES

Invoke = Callable[..., Result]


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_the_figures_are_those_of_the_files_and_of_scoring(checkpoints: Path, invoke: Invoke) -> None:
    model = checkpoints / "all-MiniLM-L6-v2"
    done = invoke("plan", model, toy(Path("small")), "--format", "csv")
    assert (done.exit_code, done.stderr) == (0, "")
    first, second, total = rows(done.stdout)
    with safe_open(model / "model.safetensors", "np") as file:
        shapes = [file.get_slice(name).get_shape() for name in file.keys()]  # noqa: SIM118
    assert int(first["tensors"]) == len(shapes)
    assert int(first["params"]) == sum(map(math.prod, shapes))
    scored = [row for row in rows(invoke("score", model, "--format", "csv").stdout) if row["verdict"] != "skipped"]
    assert int(first["matrices"]) == int(first["eigensolves"]) == len(scored)
    assert (first["bytes_to_fetch"], first["reason"]) == ("0", "")
    assert total["model"] == "total"
    for column in ("bytes_to_read", "params", "tensors", "matrices", "eigensolves", "store_estimate"):
        assert int(total[column]) == int(first[column]) + int(second[column])
    assert total["peak_memory_estimate"] == first["peak_memory_estimate"]


def test_json_has_the_same_as_csv(invoke: Invoke) -> None:
    models = [toy(Path("a")), toy(Path("b"), layers=2)]
    document = json.loads(invoke("plan", *models, "--format", "json").stdout, parse_constant=pytest.fail)
    table = rows(invoke("plan", *models, "--format", "csv").stdout)
    timed = ("core_seconds_estimate", "core_seconds_most")
    for record, row in zip([*document["models"], document["total"]], table, strict=True):
        assert {key: str(value) for key, value in record.items() if value is not None and key not in timed} == {
            key: value for key, value in row.items() if key in record and value and key not in timed
        }
        assert 0 < record[timed[0]] <= record[timed[1]]


@pytest.mark.parametrize("output", ["table", "md"])
def test_the_tables_have_a_total_and_say_what_is_amiss(invoke: Invoke, output: str) -> None:
    good = toy(Path("good"))
    Path("empty").mkdir()
    done = invoke("plan", good, "./empty", "--format", output)
    assert done.exit_code == 3
    shown = done.stdout.replace("\\", "")
    assert "empty: no weights" in shown
    assert "the total is without the time and memory of 1 model" in shown
    lines = [line.split() for line in shown.replace("|", " ").splitlines() if line.strip("| ")]
    counts = {line[0]: line[1:6] for line in lines if line[0] in (good, "./empty", "total")}
    assert counts[good] == counts["total"] == ["0", "bytes", "4", "4", "4"]
    assert counts["./empty"] == ["–"] * 5
    nothing = invoke("plan", "./empty", "--format", output).stdout.replace("|", " ")
    assert next(line.split() for line in nothing.splitlines() if line.split()[:1] == ["total"])[1:6] == ["–"] * 5


def test_a_failed_model_is_a_row_with_the_reason(invoke: Invoke) -> None:
    Path("empty").mkdir()
    done = invoke("plan", "./empty", toy(Path("good")), "--format", "csv")
    assert done.exit_code == 3
    failed, good, total = rows(done.stdout)
    assert "no weights" in failed["reason"]
    assert done.stderr == f"wqscore: {failed['reason']}\n"
    assert {value for key, value in failed.items() if key not in ("model", "reason")} == {""}
    assert good["matrices"] == total["matrices"] == "4"


def test_a_list_and_threads(invoke: Invoke) -> None:
    toy(Path("a")), toy(Path("b"))
    Path("mine.toml").write_text('[[models]]\nid = "./a"\n[[models]]\nid = "./b"\n')
    peaks = [
        int(rows(invoke("plan", "--list", "mine.toml", "--jobs", jobs, "--format", "csv").stdout)[0][column])
        for jobs in ("1", "2")
        for column in ("peak_memory_estimate",)
    ]
    assert peaks[0] < peaks[1]
    listed = rows(invoke("plan", "--list", "mine.toml", "--format", "csv").stdout)
    assert [Path(row["model"]).name for row in listed] == ["a", "b", "total"]


def test_a_night_is_that_of_the_average_model(invoke: Invoke) -> None:
    models = [toy(Path(f"m{number}"), layers=1 + number) for number in range(4)]
    document = json.loads(invoke("plan", *models, "--changed", "2", "--format", "json").stdout)
    night, total = document["night"], document["total"]
    assert night.pop("changed") == 2
    for name, value in night.items():
        assert value == pytest.approx(total[name] / 2, abs=0.02 if "seconds" in name else 1), name
    assert set(night) == {
        *("bytes_to_fetch", "bytes_to_read", "core_seconds_estimate", "core_seconds_most", "store_estimate"),
    }
    shown = " ".join(invoke("plan", *models, "--changed", "2").stdout.split())
    assert "a night on which 2 of 4 models changed: 0 bytes to fetch, " in shown
    assert "of CPU time" in shown
    assert "more in the store" in shown
    assert "night" not in json.loads(invoke("plan", *models, "--format", "json").stdout)


def test_of_models_without_headers_a_night_knows_nothing(invoke: Invoke) -> None:
    Path("empty").mkdir()
    done = invoke("plan", "./empty", toy(Path("good")), "--changed", "2", "--format", "json")
    document = json.loads(done.stdout)
    assert document["night"]["bytes_to_read"] == document["total"]["bytes_to_read"]
    alone = json.loads(invoke("plan", "./empty", "--changed", "1", "--format", "json").stdout)
    assert {alone["night"][name] for name in alone["night"] if name != "changed"} == {0}


def test_wrong_usage(invoke: Invoke) -> None:
    model = toy(Path("good"))
    for arguments, said in (
        ((), "no model given"),
        (("./nowhere",), "no such folder"),
        ((model, "--changed", "2"), "changed is 2: give a number from 1 to 1, all models"),
        ((model, "--changed", "-1"), "--changed"),
    ):
        done = invoke("plan", *arguments)
        assert (done.exit_code, done.stdout) == (2, "")
        assert said in done.stderr


def test_many_models_fit_a_terminal(in_terminal: Callable[..., InTerminal], tmp_path: Path) -> None:
    models = [toy(tmp_path / f"model-with-a-long-name-{number}") for number in range(12)]
    seen = in_terminal("plan", *models, columns=60)
    assert seen.returncode == 0
    assert max(map(len, seen.left.splitlines())) <= 60
    assert seen.left.count("MB") == 13


def test_ctrl_c_shows_what_was_planned(tmp_path: Path) -> None:
    with HubServer() as hub:
        hub.fault("org/stalled", stall=60)
        process = subprocess.Popen(
            [str(COMMAND), "plan", toy(tmp_path / "a"), toy(tmp_path / "b"), "org/stalled", "--format", "csv"],
            env=hub.environment(tmp_path),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        while hub.faults[0].times:
            time.sleep(0.05)
            assert process.poll() is None
        # What is on disk was begun before that, and takes a hundredth of this.
        time.sleep(2)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=300)
    assert (process.returncode, stderr) == (130, "wqscore: interrupted: keeping what was planned before\n")
    *planned, stalled, total = rows(stdout)
    assert [row["matrices"] for row in planned] == ["4", "4"]
    assert stalled["reason"] == "interrupted before its headers were read"
    assert total["matrices"] == "8"


def test_the_help_names_every_study() -> None:
    described = inspect.getdoc(plan) or ""
    assert all(re.search(rf"\b{name}\b", described) for name in STUDIES)

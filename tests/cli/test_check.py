"""`wqscore check`: what it prints, and its exit codes."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from typer.testing import Result

from tests.cli.conftest import toy
from tests.hub_server import HubServer
from tests.warm_processes import run_wqscore

Invoke = Callable[..., Result]
COLUMNS = ["model", "severity", "name", "kind", "count", "detail"]


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def with_nan() -> np.ndarray:
    matrix = np.random.default_rng(0).standard_normal((64, 32)).astype("f4")
    matrix[1, 1:3] = np.nan
    return matrix


def with_zero_rows() -> np.ndarray:
    matrix = np.random.default_rng(1).standard_normal((64, 32)).astype("f4")
    matrix[[5, 60]] = 0
    return matrix


def test_a_real_model_has_no_errors(checkpoints: Path, invoke: Invoke) -> None:
    done = invoke("check", checkpoints / "all-MiniLM-L6-v2")
    assert done.exit_code == 0, done.output
    assert "103 tensors examined, 90.9 MB: 0 errors, 0 remarks\n" in done.stdout
    assert "not examined, because they hold no floating-point numbers: 1 of I64\n" in done.stdout


def test_remarks_alone_are_exit_code_0(tmp_path: Path, invoke: Invoke) -> None:
    model = toy(tmp_path / "m", **{"layers.9.fc1.weight": with_zero_rows()})
    done = invoke("check", model, "--format", "csv", "-q")
    assert (done.exit_code, done.stderr) == (0, "")
    detail = "2 of 64 rows all zero (5, 60): dead neurons"
    values = [model, "remark", "layers.9.fc1.weight", "zero-rows", "2", detail]
    assert rows(done.stdout) == [dict(zip(COLUMNS, values, strict=True))]


def test_errors_are_exit_code_3_and_one_line(tmp_path: Path, invoke: Invoke) -> None:
    bad = {
        "layers.8.fc1.weight": with_nan(),
        "layers.9.fc1.weight": with_zero_rows(),
        "layers.9.fc2.weight": with_nan(),
    }
    bad["layers.9.fc2.weight"][0, 0] = np.inf
    model = toy(tmp_path / "m", **bad)
    done = invoke("check", model, "--format", "json", "-q")
    assert done.exit_code == 3
    assert done.stderr == (f"wqscore: {model}: layers.8.fc1.weight: 2 of 2,048 numbers are NaN, and 2 more errors\n")
    document = json.loads(done.stdout, parse_constant=pytest.fail)
    assert (document["errors"], document["remarks"]) == (3, 1)
    found = [(f["severity"], f["name"], f["kind"], f["count"]) for f in document["findings"]]
    assert found == [
        ("error", "layers.8.fc1.weight", "nan", 2),
        ("error", "layers.9.fc2.weight", "nan", 2),
        ("error", "layers.9.fc2.weight", "infinite", 1),
        ("remark", "layers.9.fc1.weight", "zero-rows", 2),
    ]


@pytest.mark.parametrize("output", ["table", "md"])
def test_people_are_shown_the_same(tmp_path: Path, invoke: Invoke, output: str) -> None:
    model = toy(tmp_path / "m", **{"layers.9.fc1.weight": with_nan()})
    done = invoke("check", model, "--format", output)
    assert done.exit_code == 3
    shown = done.stdout.replace("\\", "")
    for text in ("error", "layers.9.fc1.weight", "nan", "2 of 2,048 numbers are NaN", "1 error, 0 remarks"):
        assert text in shown


def test_a_file_cut_short_is_exit_code_3(tmp_path: Path, invoke: Invoke) -> None:
    model = toy(tmp_path / "m")
    file = Path(model, "model.safetensors")
    file.write_bytes(file.read_bytes()[:-10])
    done = invoke("check", model)
    assert (done.exit_code, done.stdout) == (3, "")
    assert "cut short, fetch it again" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_what_does_not_exist_is_exit_code_3(invoke: Invoke) -> None:
    done = invoke("check", "./nowhere")
    assert (done.exit_code, done.stdout) == (3, "")
    assert done.stderr == "wqscore: no such folder or file: ./nowhere: check the path\n"


def test_a_model_fetched_from_the_hub_is_compared_with_the_hubs_sha256(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    body = safetensors.numpy.save({"layers.0.fc1.weight": rng.standard_normal((96, 64)).astype("f4")})
    with HubServer() as hub:
        hub.add("org/m", {"config.json": b"{}", "model.safetensors": body})

        def check() -> subprocess.CompletedProcess[str]:
            return run_wqscore(["check", "org/m", "--format", "json", "-q"], hub.environment(tmp_path), tmp_path)

        done = check()
        assert (done.returncode, done.stderr) == (0, "")
        assert json.loads(done.stdout)["files"] == [
            {"file": "model.safetensors", "checksum": "sha256", "verdict": "same"}
        ]
        blob = next(tmp_path.rglob(f"blobs/{hashlib.sha256(body).hexdigest()}"))
        blob.write_bytes(body[:-1] + bytes([body[-1] ^ 1]))
        done = check()
    assert done.returncode == 3
    assert done.stderr.startswith("wqscore: org/m: model.safetensors: its SHA-256 is ")
    assert json.loads(done.stdout)["files"][0]["verdict"] == "differs"

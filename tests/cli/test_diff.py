"""`wqscore diff`: what it prints and writes, and its exit codes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file
from typer.testing import Result

from tests.cli.conftest import toy

Invoke = Callable[..., Result]
QUICK = ("--metrics", "stable_rank", "--jobs", "1", "-q")


def test_a_table_and_a_sentence(tmp_path: Path, invoke: Invoke) -> None:
    models = toy(tmp_path / "a", 0), toy(tmp_path / "b", 1)
    done = invoke("diff", *models, *QUICK)
    assert (done.exit_code, done.stderr) == (0, "")
    assert "the 4 largest changes, of 4 matrices" in done.stdout
    assert f"From {models[0]} to {models[1]} a typical matrix changed by" in done.stdout.replace("\n", " ")


def test_weights_that_are_no_numbers_are_named(tmp_path: Path, invoke: Invoke) -> None:
    base = toy(tmp_path / "a")
    tensors = load_file(tmp_path / "a" / "model.safetensors")
    name = next(name for name, value in tensors.items() if value.ndim == 2)
    tensors[name][0, 0] = np.nan
    (tmp_path / "b").mkdir()
    save_file(tensors, tmp_path / "b" / "model.safetensors")
    told = " ".join(invoke("diff", base, str(tmp_path / "b"), *QUICK).stdout.split())
    assert f"1 matrix without a size of change, for NaN, infinite or overflowing weights: {name}" in told
    assert "the largest change, of 4 matrices" in told


def test_a_model_and_itself(tmp_path: Path, invoke: Invoke) -> None:
    model = toy(tmp_path / "a")
    done = invoke("diff", model, model, *QUICK)
    assert "no weight of the 4 matrices that both have differs." in done.stdout.replace("\n", " ")


def test_csv_json_and_the_files_of_out_agree(tmp_path: Path, invoke: Invoke) -> None:
    models = toy(tmp_path / "a", 0), toy(tmp_path / "b", 1)
    epoch = {"SOURCE_DATE_EPOCH": "0"}
    as_json = invoke("diff", *models, *QUICK, "--format", "json", "--out", "out", **epoch)
    as_csv = invoke("diff", *models, *QUICK, "--format", "csv", **epoch)
    assert (tmp_path / "out" / "diff.json").read_text() == as_json.stdout
    assert (tmp_path / "out" / "diff.csv").read_text() == as_csv.stdout
    assert "largest changes" in (tmp_path / "out" / "diff.md").read_text()
    document = json.loads(as_json.stdout)
    assert [*document][:4] == ["schema_version", "wqscore", "created", "seed"]
    assert document["base"]["model"] == models[0]
    rows = list(csv.DictReader(io.StringIO(as_csv.stdout)))
    assert [float(row["relative_change"]) for row in rows] == [
        each["relative_change"] for each in document["matrices"]
    ]


def test_a_model_that_is_not_there_is_wrong_usage_and_a_line(tmp_path: Path, invoke: Invoke) -> None:
    done = invoke("diff", toy(tmp_path / "a"), "./nothing", *QUICK)
    assert done.exit_code in (2, 3)
    assert len(done.stderr.splitlines()) == 1

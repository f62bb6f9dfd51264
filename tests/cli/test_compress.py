"""`wqscore compress`: what it prints and writes, and its exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from typer.testing import Result

from tests.cli.conftest import toy

Invoke = Callable[..., Result]


def test_a_table_a_sentence_and_the_caveat(tmp_path: Path, invoke: Invoke) -> None:
    done = invoke("compress", toy(tmp_path / "a"), "--ratio", "0.25", "--jobs", "1", "-q")
    assert (done.exit_code, done.stderr) == (0, "")
    assert "as two factors with 25 % of its weights, a matrix loses at least" in done.stdout.replace("\n", " ")
    assert "Not tested for your model; error of weights, not of outputs." in done.stdout


def test_json_and_the_files_of_out(tmp_path: Path, invoke: Invoke) -> None:
    arguments = ("--rounded", "--format", "json", "--out", "out", "--jobs", "1", "-q")
    done = invoke("compress", toy(tmp_path / "a"), *arguments, SOURCE_DATE_EPOCH="0")
    assert (tmp_path / "out" / "compress.json").read_text() == done.stdout
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"compress.csv", "compress.json", "compress.md"}
    document = json.loads(done.stdout)
    assert [*document][:5] == ["schema_version", "wqscore", "created", "seed", "model"]
    assert [*document["matrices"][0]][:10] == [
        *("name", "role", "rows", "columns", "rank", "error", "rank_1pct", "rank_5pct", "rank_10pct", "stable_rank")
    ]


def test_a_ratio_out_of_range_is_wrong_usage(tmp_path: Path, invoke: Invoke) -> None:
    done = invoke("compress", toy(tmp_path / "a"), "--ratio", "2", "-q")
    assert done.exit_code == 2
    assert "ratio is 2: give a share of the weights above 0, at most 1" in done.stderr


def test_a_model_without_spectra_is_exit_code_3(tmp_path: Path, invoke: Invoke) -> None:
    model = toy(tmp_path / "a", layers=0, **{"layers.0.fc1.weight": np.zeros((64, 64), "f4")})
    done = invoke("compress", model, "-q", "--jobs", "1")
    assert done.exit_code == 3
    assert "no matrix has a spectrum to compress by" in done.stdout

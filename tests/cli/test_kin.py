"""`wqscore kin`: what it prints and writes, and its exit codes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

from tests.saved_models import saved
from tests.studies.kin.made import family

Invoke = Callable[..., Result]
PAIR = [
    *("a", "b", "verdict", "cosine", "cosine_se", "directions", "spectrum_distance", "n_matrices", "n_exact"),
    "reason",
]
MADE = family(0, layers=1)


@pytest.fixture
def models(tmp_path: Path) -> list[str]:
    return [saved(tmp_path / kind, MADE[kind]) for kind in ("base", "tuned-1", "tuned-2", "merge", "pruned")]


def test_a_tree_a_table_and_a_sentence(models: list[str], tmp_path: Path, invoke: Invoke) -> None:
    other = saved(tmp_path / "other", family(1, layers=1)["base"])
    done = invoke("kin", *models, other, "--jobs", "1", "-q")
    assert (done.exit_code, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "models that share weights"
    assert lines[1] == models[0]
    assert any(line.startswith("├─ ") and "tuned-1  0.99" in line for line in lines)
    assert any("merge  0.99" in line and "average of two" in line for line in lines)
    assert any("pruned" in line and "50% of its weights are 0" in line for line in lines)
    text = " ".join(done.stdout.split())
    assert "5 of 6 models share weights, in 1 family; 1 is found related to no other." in text
    assert "“Related” means shared weights, not provenance" in text
    assert "0.60 ×" in text and "0.40 ×" in text


def test_csv_json_and_the_files_of_out_agree(models: list[str], tmp_path: Path, invoke: Invoke) -> None:
    epoch = {"SOURCE_DATE_EPOCH": "0"}
    as_json = invoke("kin", *models, "--jobs", "1", "--format", "json", "--out", "out", "-q", **epoch)
    as_csv = invoke("kin", *models, "--jobs", "1", "--format", "csv", "-q", **epoch)
    assert (tmp_path / "out" / "kin.json").read_text() == as_json.stdout
    assert (tmp_path / "out" / "kin.csv").read_text() == as_csv.stdout
    assert "models that share weights" in (tmp_path / "out" / "kin.md").read_text()
    assert "<svg" in (tmp_path / "out" / "index.html").read_text()
    document = json.loads(as_json.stdout)
    assert [*document][:4] == ["schema_version", "wqscore", "created", "seed"]
    assert [*document["pairs"][0]] == PAIR
    assert len(document["pairs"]) == 10
    rows = list(csv.DictReader(io.StringIO(as_csv.stdout)))
    assert [*rows[0]] == PAIR
    for row, pair in zip(rows, document["pairs"], strict=True):
        assert (row["a"], row["b"], row["verdict"]) == (pair["a"], pair["b"], pair["verdict"])
        assert float(row["cosine"]) == pair["cosine"]
    assert document["merges"][0]["parents"] == [models[1], models[2]]
    assert [each["notes"] for each in document["models"]][-1] == ["50% of its weights are 0"]
    assert document["tree"][0] == {
        "model": models[0],
        "parent": None,
        "cosine": None,
        "cosine_se": None,
        "confidence": None,
    }
    assert all(each["confidence"] > 0.99 for each in document["tree"][1:])


def test_undefined_numbers_are_null_and_empty(models: list[str], tmp_path: Path, invoke: Invoke) -> None:
    rng = np.random.default_rng(0)
    narrow = {f"layers.{at}.fc1.weight": rng.standard_normal((20, 16)).astype("f4") for at in range(3)}
    other = saved(tmp_path / "narrow", narrow)
    pair = json.loads(invoke("kin", models[0], other, "--format", "json", "-q").stdout)["pairs"][0]
    assert pair["verdict"] == "unrelated"
    assert pair["cosine"] is pair["cosine_se"] is pair["spectrum_distance"] is None
    assert pair["reason"] == "no matrices of one shape"
    assert "nan" not in invoke("kin", models[0], other, "--format", "csv", "-q").stdout.lower()


def test_a_model_that_can_t_be_read_is_told_and_the_others_are_compared(
    models: list[str], tmp_path: Path, invoke: Invoke
) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "model.safetensors").write_bytes(b"nothing")
    done = invoke("kin", *models[:2], str(tmp_path / "bad"), "--format", "json", "-q")
    assert done.exit_code == 3
    document = json.loads(done.stdout)
    assert len(document["pairs"]) == 1
    assert document["failed"][0]["model"] == str(tmp_path / "bad")
    assert len(done.stderr.splitlines()) == 1


def test_one_model_is_wrong_usage(models: list[str], invoke: Invoke) -> None:
    for given in (models[:1], [models[0], models[0]], []):
        done = invoke("kin", *given, "-q")
        assert done.exit_code == 2
        assert done.stderr.splitlines()

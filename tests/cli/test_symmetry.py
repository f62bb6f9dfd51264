"""`wqscore symmetry`, and `--gauge` and `--spread`: what they print and write, and their exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from tests.cli.conftest import toy
from tests.symmetries.made import SMALL, bert
from tests.symmetries.test_gauge import saved_bert
from wqscore.studies.symmetry import outputs

Invoke = Callable[..., Result]
FEW = ("--metrics", "stable_rank", "--jobs", "1", "-q")


@pytest.fixture(autouse=True)
def without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs, "find_spec", lambda name: None)


def test_a_table_reasons_and_a_sentence(tmp_path: Path, invoke: Invoke) -> None:
    done = invoke("symmetry", saved_bert(tmp_path / "a", bert(layers=1), SMALL), *FEW)
    assert (done.exit_code, done.stderr) == (0, "")
    told = " ".join(done.stdout.split())
    assert "neuron.scale: not applied: its activation, gelu, doesn't scale with its input" in told
    assert "outputs were not compared: that needs torch and transformers" in told
    assert "Under the 6 transformations that keep the function of" in told


def test_json_and_the_files_of_out(tmp_path: Path, invoke: Invoke) -> None:
    model = saved_bert(tmp_path / "a", bert(layers=1), SMALL)
    done = invoke("symmetry", model, *FEW, "--format", "json", "--out", "out", SOURCE_DATE_EPOCH="0")
    assert (tmp_path / "out" / "symmetry.json").read_text() == done.stdout
    names = {"index.html", *(f"symmetry.{end}" for end in ("csv", "json", "md"))}
    assert {path.name for path in (tmp_path / "out").iterdir()} == names
    assert len(json.loads(done.stdout)["transformations"]) == 10


def test_a_model_of_no_known_layout_is_told_why(tmp_path: Path, invoke: Invoke) -> None:
    model = toy(tmp_path / "a")
    done = invoke("symmetry", model, *FEW)
    assert done.exit_code == 0
    assert "no transformation applies: it has no configuration" in done.stdout
    done = invoke("score", model, "--gauge", "balanced", *FEW)
    assert done.exit_code == 3
    assert "has no balanced form: it has no configuration" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_gauge_of_rank_and_score(tmp_path: Path, invoke: Invoke) -> None:
    model = saved_bert(tmp_path / "a", bert(layers=1), SMALL)
    done = invoke("score", model, "--gauge", "balanced", "--format", "csv", *FEW)
    assert done.stdout.splitlines()[0].startswith("model,name,role,rows,columns,gauge,stable_rank")
    plain = invoke("score", model, "--gauge", "none", "--format", "csv", *FEW)
    assert plain.stdout == invoke("score", model, "--format", "csv", *FEW).stdout
    assert plain.stdout != done.stdout
    done = invoke("rank", model, "--gauge", "blue", *FEW)
    assert done.exit_code == 2
    done = invoke("rank", model, "--spread", str(tmp_path / "none"), "--no-report", *FEW)
    assert done.exit_code == 2
    assert "none: can't be read" in done.stderr

"""The Python examples of docs/python.md and README run, with tiny models in place of the reader's own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli.conftest import toy
from tests.studies.screen.made import factors, write
from tests.studies.watching.here import score_here

PAGE = (Path(__file__).parent.parent / "docs" / "python.md").read_text(encoding="utf-8")
README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    score_here(monkeypatch)
    for run in range(1, 4):
        toy(tmp_path / f"run-{run}", run, layers=2)
    (tmp_path / "policy.toml").write_text('rules = ["alpha > 6"]\n')
    (tmp_path / "results.csv").write_text("model,accuracy\nrun-1,0.1\n./run-1,0.1\n./run-2,0.3\n./run-3,0.2\n")
    for step in (1, 20, 300):
        toy(tmp_path / "runs" / f"step-{step}", step, layers=2)
    (tmp_path / "eval.csv").write_text("step,accuracy\n1,0.1\n20,0.3\n300,0.2\n")
    write(tmp_path / "adapter", factors(0, layers=2))
    rng = np.random.default_rng(0)
    model = {f"layers.{i}.fc1.weight": rng.standard_t(3, (96, 64)) @ rng.standard_normal((64, 64)) for i in range(2)}
    names: dict[str, Any] = {"model": model}
    for block in BLOCKS:
        exec(compile(block, "python.md", "exec"), names)
    assert (tmp_path / "depth.svg").read_text().startswith("<svg")
    assert (tmp_path / "layer.png").read_bytes().startswith(b"\x89PNG")
    assert [point.step for point in names["watching"].track.points] == [500, 1000]
    assert names["runs"].scores


class Model(dict[str, np.ndarray]):
    """Weights by name with a configuration, in the place of a module."""

    config: dict[str, Any] = {"model_type": "bert", "hidden_size": 64}  # noqa: RUF012


def test_the_example_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    toy(tmp_path / "run-1", 1, layers=2)
    rng = np.random.default_rng(0)
    matrices = {f"encoder.layer.{i}.attention.self.query.weight": rng.standard_t(3, (64, 64)) for i in range(4)}
    (block,) = re.findall(r"^```python\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    names: dict[str, Any] = {"model": Model(matrices)}
    exec(compile(block, "README.md", "exec"), names)
    assert [model.ref.label for model in names["ranking"].models] in (["before", "now"], ["now", "before"])
    assert (tmp_path / "layer.pdf").read_bytes().startswith(b"%PDF")
    assert (tmp_path / "tidy.csv").read_text().count("\n") > 4

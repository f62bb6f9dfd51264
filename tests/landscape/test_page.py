"""The Python examples of docs/landscape.md run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.landscape.made import landscape, network
from tests.studies.watching.here import score_here

pytestmark = pytest.mark.oracle("torch", "scipy")
PAGE = (Path(__file__).parents[2] / "docs" / "landscape.md").read_text(encoding="utf-8")


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    score_here(monkeypatch)
    names: dict[str, Any] = {"model": network(64, 60, 60, 10).float()}
    for block in re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE):
        exec(compile(block, "landscape.md", "exec"), names)
    assert names["make"]("seed-1").n == 200
    assert landscape.hessian(names["make"]("seed-2"), probes=2).n_params == 387
    assert [row["step"] for row in names["log"].rows] == [100, 200]
    assert (tmp_path / "weights.csv").exists()

"""The grid of phases and the schedules by layer: one tiny cell and run of each, and means over copies."""

from __future__ import annotations

import csv
import sys
from math import log
from pathlib import Path

import numpy as np
import pytest

from tests.oracles import Oracle, imported

pytestmark = pytest.mark.oracle("torch", "sklearn", "scipy")
grid, by_layer = Oracle("benchmarks.zoo.grid"), Oracle("benchmarks.zoo.by_layer")
HERE = Path(__file__).parents[2] / "benchmarks" / "zoo"


def test_a_cell_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    imported(Oracle("benchmarks.zoo.grid"))
    for name, value in {"STEPS": 3, "EPOCHS": 0, "PROBES": 2, "COPIES": 3}.items():
        monkeypatch.setattr(sys.modules["benchmarks.zoo.grid"], name, value)
    row = grid.measured(grid.Cell(2, 250))
    assert (row["model"], len(row["copies"]), len(row["pairs"])) == ("w2-b250", 3, 3)
    found = grid.cell_row(row, range(3))
    assert all(np.isfinite(value) for value in found.values())
    tops = [copy["hessian_top"] for copy in row["copies"]]
    assert found["log_hessian_top_eig"] == pytest.approx(log(np.mean(tops)))
    assert found["test_accuracy"] == pytest.approx(100 - np.mean([copy["test_error"] for copy in row["copies"]]))
    # Copies drawn again: pairs of different copies alone.
    drawn = grid.cell_row(row, [0, 0, 2])
    assert drawn["cka_last"] == pytest.approx(next(p["cka"] for p in row["pairs"] if (p["a"], p["b"]) == (0, 2)))


def test_the_committed_grid_is_whole() -> None:
    with (HERE / "grid.csv").open(encoding="utf-8", newline="") as file:
        cells = list(csv.DictReader(file))
    expected = [(str(width), str(batch)) for width in grid.WIDTHS for batch in grid.BATCHES]
    assert [(cell["width"], cell["batch"]) for cell in cells] == expected


@pytest.mark.parametrize("rule", ["sgd", "tempbalance", "adamw", "alphadecay"])
def test_a_schedule_trains(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    imported(Oracle("benchmarks.zoo.by_layer"))
    monkeypatch.setattr(sys.modules["benchmarks.zoo.by_layer"], "STEPS", 3)
    found = by_layer.errors(by_layer.Arm(rule, "cosine", 0.01, 0.1), 0)
    assert 0 < found["test"] <= 100
    assert np.isfinite(found["loss"])

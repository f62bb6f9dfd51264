"""A checkpoint's plan is that of its tensors, and what the checkpoint knows of them is found once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from wqscore.checkpoints import checkpoint as opened
from wqscore.matrices import plan
from wqscore.matrices.checkpoint_plan import plan_checkpoint
from wqscore.matrices.matrix_rules import MatrixRules
from wqscore.matrices.model_config import ModelConfig
from wqscore.planning.describe import describe


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    weight = np.random.default_rng(0).standard_normal((60, 60), dtype="f4")
    names = ["layers.0.fc1.weight", "ema.layers.0.fc1.weight", "optimizer.state.exp_avg", "layers.0.fc1.bias"]
    save_file({name: weight + i for i, name in enumerate(names)}, tmp_path / "model.safetensors")
    return tmp_path


def test_each_fact_is_found_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def counted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            calls.append(name)
            return function(*arguments)

        return call

    for name in ("training_state", "count_weights"):
        for module in (opened, plan):
            monkeypatch.setattr(module, name, counted(name, getattr(module, name)))
    described = describe(str(folder))
    assert described.parameters
    assert sorted(calls) == ["count_weights", "training_state"]
    expected = plan.plan_matrices(described.checkpoint.tensors, ModelConfig({}), MatrixRules())
    assert plan_checkpoint(described.checkpoint, MatrixRules()) == expected
    assert "state of the optimizer" in {skip.reason for skip in described.skipped}

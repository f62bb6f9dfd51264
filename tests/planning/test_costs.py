"""Costs are worked out once for models of one architecture, and are those of each model alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from wqscore.checkpoints.checkpoint import Checkpoint
from wqscore.checkpoints.opening import open_checkpoint
from wqscore.checkpoints.tensor import TensorRef
from wqscore.fits.sampling import USUAL
from wqscore.planning import costs as costing
from wqscore.planning.costs import Costs
from wqscore.planning.work import Speed
from wqscore.refs.parsing import parse_ref

SPEED = Speed(1e9, 1e9, 1e9, 1e9)


def opened(folder: Path, layers: int = 2, dtype: str = "f4") -> Checkpoint:
    folder.mkdir()
    weights = {f"layers.{i}.fc1.weight": np.ones((96, 64), dtype) for i in range(layers)}
    save_file(weights, folder / "model.safetensors")
    (folder / "config.json").write_text('{"model_type": "toy"}')
    return open_checkpoint(parse_ref(str(folder)))


@pytest.fixture
def described(monkeypatch: pytest.MonkeyPatch) -> list[Checkpoint]:
    """The checkpoints that are described."""
    found: list[Checkpoint] = []
    describe = costing.describe_checkpoint

    def told(checkpoint: Checkpoint, *others: Any) -> Any:
        found.append(checkpoint)
        return describe(checkpoint, *others)

    monkeypatch.setattr(costing, "describe_checkpoint", told)
    return found


def test_fine_tunes_are_worked_out_once(tmp_path: Path, described: list[Checkpoint]) -> None:
    costs = Costs(1, SPEED, USUAL)
    models = [opened(tmp_path / str(number)) for number in range(3)]
    models[1] = replace(models[1], config={**models[1].config, "_name_or_path": "org/base"})
    found = [costs.of(model) for model in models]
    assert described == models[:1]
    assert found == [Costs(1, SPEED, USUAL).of(model) for model in models]
    assert found[0].matrices == 2
    assert found[0].store_size > 2 * 64 * 8


def test_whatever_planning_looks_at_sets_models_apart(tmp_path: Path, described: list[Checkpoint]) -> None:
    costs = Costs(1, SPEED, USUAL)
    model = opened(tmp_path / "a")
    first, *rest = model.tensors
    assert isinstance(first, TensorRef)
    others = [
        opened(tmp_path / "deeper", layers=3),
        opened(tmp_path / "half", dtype="f2"),
        replace(model, config={**model.config, "num_attention_heads": 4}),
        replace(model, tensors=(replace(first, name="layers.0.fc9.weight"), *rest)),
        replace(model, tensors=(replace(first, offset=first.offset + 4), *rest)),
        replace(model, tensors=(replace(first, refusal="it is broken"), *rest)),
        replace(model, tensors=(replace(first, file=first.file.with_name("other.safetensors")), *rest)),
    ]
    for other in (model, *others):
        assert costs.of(other) == Costs(1, SPEED, USUAL).of(other)
    assert len(described) == 2 * (1 + len(others)), "none of them was taken for another"

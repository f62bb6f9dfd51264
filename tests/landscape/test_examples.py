"""The examples of docs/training.md run, one after the other."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.oracles import Oracle

torch = Oracle("torch")
transformers = Oracle("transformers")
pytestmark = pytest.mark.oracle("torch", "transformers")
PAGE = Path(__file__).parents[2] / "docs" / "training.md"


def test_every_example_runs_and_trains(capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(0)
    inputs = torch.randn(60, 6)
    targets = (inputs[:, 0] > 0).long() + (inputs[:, 1] > 0).long()
    model = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
    given: dict[str, Any] = {
        "model": model,
        "batches": [(inputs[start : start + 20], targets[start : start + 20]) for start in (0, 20, 40)] * 10,
        "inputs": inputs,
        "targets": targets,
        "held_out": torch.randn(20, 6),
        "language_model": transformers.GPT2LMHeadModel(
            transformers.GPT2Config(vocab_size=50, n_positions=16, n_embd=32, n_layer=2, n_head=4)
        ),
        "tokens": torch.randint(0, 50, (4, 9)),
    }
    loss = torch.nn.functional.cross_entropy
    before = float(loss(model(inputs), targets).detach())
    examples = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(examples) == 7
    for example in examples:
        exec(example, given)
    assert float(loss(model(inputs), targets).detach()) < before
    moved = [list(map(float, line.split())) for line in capsys.readouterr().out.splitlines()]
    assert len(moved) == 2
    for grad_before, grad_after, change in moved:
        assert grad_after > grad_before and change < 1e-5
    torch.testing.assert_close(given["narrow"](inputs), model(inputs), rtol=0, atol=1e-5)
    assert given["wide"][0].out_features == 16 and given["narrow"][0].out_features == 8

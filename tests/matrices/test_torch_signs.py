"""What only torch's modules, and the libraries on top of it, write."""

from __future__ import annotations

from typing import Any

import pytest

from tests.matrices.tiny_models import outcome, tensor
from tests.oracles import Oracle
from wqscore.matrices.model_config import ModelConfig
from wqscore.matrices.torch_signs import has_signs_of_torch
from wqscore.matrices.weight_matrix import SkippedTensor, WeightMatrix

torch = Oracle("torch")


@pytest.mark.oracle("torch")
@pytest.mark.parametrize(
    ("module", "sizes", "expected"),
    [
        ("BatchNorm2d", (4,), True),
        ("LSTM", (4, 3), True),
        ("GRU", (4, 3, 2, True, False, 0.0, True), True),
        ("Linear", (4, 3), False),
        ("GroupNorm", (2, 4), False),
    ],
)
def test_the_names_that_torchs_modules_store(module: str, sizes: tuple[Any, ...], expected: bool) -> None:
    state = torch.nn.Sequential(getattr(torch.nn, module)(*sizes)).state_dict()
    assert has_signs_of_torch(state, ModelConfig({})) is expected


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ({"transformers_version": "4.57.0"}, True),
        ({"_diffusers_version": "0.35.0"}, True),
        ({"transformers_version": "4.57.0", "quantization": {"bits": 4, "group_size": 64}}, False),
        ({"model_type": "vit"}, False),
        ({"transformers_version": None}, False),
    ],
)
def test_configurations(file: dict[str, Any], expected: bool) -> None:
    assert has_signs_of_torch(["conv1.weight"], ModelConfig(file)) is expected
    (planned,) = outcome((tensor("conv1.weight", 16, 3, 3, 3),), file)
    assert isinstance(planned, WeightMatrix if expected else SkippedTensor)

"""The same random networks as torch, Flax, Keras and MLX store them: the same scores, or a refusal."""

from __future__ import annotations

from math import isnan
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings

import wqscore
from tests.examples import examples
from tests.matrices.framework_networks import (
    Arrays,
    Layer,
    as_flax,
    as_keras,
    as_mlx,
    as_torch,
    expected,
    networks,
    write,
)
from wqscore.checkpoints.formats import open_file
from wqscore.matrices.matrix_rules import MatrixRules
from wqscore.matrices.model_config import ModelConfig
from wqscore.matrices.plan import plan_matrices
from wqscore.matrices.weight_matrix import WeightMatrix

_PARTS = {
    **{"query": "q", "q_proj": "q", "key": "k", "k_proj": "k", "value": "v", "v_proj": "v"},
    **{"out": "o", "out_proj": "o", "attention_output": "o"},
}


def layer_of(name: str) -> str:
    """The name of a tensor's layer in every spelling."""
    layer = name.replace("/", ".").split(".")[-2]
    return f"attention.{_PARTS[layer]}" if layer in _PARTS else layer


def stored(layers: list[Layer], folder: Path) -> dict[str, Path]:
    """The network in each spelling: whether the file names its framework, and with or without biases."""
    spellings: dict[str, tuple[Arrays, str, dict[str, str]]] = {
        "torch": (as_torch(layers), "safetensors", {"format": "pt"}),
        "torch, unnamed": (as_torch(layers), "npz", {}),
        "MLX": (as_mlx(layers), "safetensors", {"format": "mlx"}),
        "MLX, unnamed": (as_mlx(layers), "safetensors", {}),
        "Flax": (as_flax(layers, biases=True), "npz", {}),
        "Flax, no biases": (as_flax(layers, biases=False), "safetensors", {"format": "flax"}),
        "Keras": (as_keras(layers, biases=True), "npz", {}),
        "Keras, no biases": (as_keras(layers, biases=False), "safetensors", {}),
    }
    return {
        name: write(folder / str(number), arrays, container, **metadata)
        for number, (name, (arrays, container, metadata)) in enumerate(spellings.items())
    }


@settings(max_examples=examples(200))
@given(networks())
def test_every_layout_gives_the_same_matrices_or_a_refusal(layers: list[Layer]) -> None:
    own = expected(layers)
    with TemporaryDirectory() as folder:
        for spelling, file in stored(layers, Path(folder)).items():
            config, tensors = open_file(file)
            found = plan_matrices(tensors, ModelConfig(config), MatrixRules())
            for outcome in found:
                if isinstance(outcome, WeightMatrix):
                    values = outcome.values(outcome.tensor.read())
                    np.testing.assert_array_equal(values, own[layer_of(outcome.tensor.name)], err_msg=spelling)
                elif outcome.kind == "unread":
                    assert "the order of its axes can't be told" in outcome.reason
                    assert spelling != "torch"
            read = {layer_of(outcome.tensor.name) for outcome in found if isinstance(outcome, WeightMatrix)}
            if spelling in ("torch", "Flax", "Keras"):
                # A depthwise kernel of one position is one number for each channel, no matrix.
                assert read >= {name for name in own if np.prod(own[name][0].shape) > len(own[name][0])}, spelling


@settings(max_examples=examples(20))
@given(networks())
def test_every_layout_gives_the_same_scores_or_a_refusal(layers: list[Layer]) -> None:
    with TemporaryDirectory() as folder:
        files = stored(layers, Path(folder))
        scores = {
            spelling: {
                layer_of(row.matrix.tensor.name): row.metrics
                for row in wqscore.score(
                    str(file), metrics="core,stable_rank,lambda_max", store=None, bootstrap=0, gof=0
                ).layers
            }
            for spelling, file in files.items()
            if spelling in ("torch", "MLX", "Flax", "Keras")
        }
    reference = scores.pop("torch")
    for spelling, rows in scores.items():
        for layer, metrics in rows.items():
            for name, value in metrics.items():
                right = reference[layer][name]
                same = (isnan(value) and isnan(right)) or value == pytest.approx(right, rel=1e-9, abs=1e-12)
                assert same, (spelling, layer, name, value, right)

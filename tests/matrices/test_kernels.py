"""Kernels of Flax and Keras against the matrices that they are made of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.matrices.tiny_models import tensor
from wqscore.matrices.matrix_rules import MatrixRules
from wqscore.matrices.model_config import ModelConfig
from wqscore.matrices.plan import plan_matrices
from wqscore.matrices.weight_matrix import SkippedTensor, WeightMatrix

RNG = np.random.default_rng(0)
RULES = MatrixRules()
WIDTH, HEADS, SIZE, LAYERS = 24, 4, 6, 5


def matrix(rows: int, columns: int) -> np.ndarray:
    return RNG.standard_normal((rows, columns))


def planned(arrays: dict[str, np.ndarray], rules: MatrixRules = RULES) -> dict[str, np.ndarray]:
    """The matrices by name; a skip for its axes fails."""
    tensors = [tensor(name, *array.shape) for name, array in arrays.items()]
    found = {}
    for outcome in plan_matrices(tensors, ModelConfig({}), rules):
        if isinstance(outcome, WeightMatrix):
            found[outcome.name] = outcome.values(np.ascontiguousarray(arrays[outcome.tensor.name]))
        else:
            assert outcome.kind != "unread", outcome.reason
    return found


def reason(name: str, *shape: int, **beside: tuple[int, ...]) -> str:
    """Why a kernel is skipped."""
    others = [tensor(other.replace("__", "."), *size) for other, size in beside.items()]
    outcomes = plan_matrices([tensor(name, *shape), *others], ModelConfig({}), MatrixRules())
    (skipped,) = [o for o in outcomes if isinstance(o, SkippedTensor) and o.name == name]
    return skipped.reason


def test_a_dense_kernel_is_transposed() -> None:
    weight = matrix(10, WIDTH)
    np.testing.assert_array_equal(planned({"Dense_0.kernel": weight.T})["Dense_0.kernel"], weight[None])


def test_layers_that_are_scanned_over() -> None:
    dense = [matrix(4 * WIDTH, WIDTH) for _ in range(LAYERS)]
    query, out = ([matrix(WIDTH, WIDTH) for _ in range(LAYERS)] for _ in range(2))
    found = planned(
        {
            "block.MlpBlock_0.Dense_0.kernel": np.stack([w.T for w in dense]),
            "block.MlpBlock_0.Dense_0.bias": np.ones((LAYERS, 4 * WIDTH)),
            "block.Attention_0.query.kernel": np.stack([w.T for w in query]).reshape(LAYERS, WIDTH, HEADS, SIZE),
            "block.Attention_0.query.bias": np.ones((LAYERS, HEADS, SIZE)),
            "block.Attention_0.out.kernel": np.stack([w.T for w in out]).reshape(LAYERS, HEADS, SIZE, WIDTH),
            "block.Attention_0.out.bias": np.ones((LAYERS, WIDTH)),
        }
    )
    for name, weights in (("MlpBlock_0.Dense_0", dense), ("Attention_0.query", query), ("Attention_0.out", out)):
        for number, weight in enumerate(weights):
            np.testing.assert_array_equal(found[f"block.{name}.kernel[{number}]"], weight[None])


@pytest.mark.parametrize(
    ("shape", "bias"),
    [
        ((WIDTH, 3 * WIDTH), ()),
        ((1, 1, WIDTH, 3 * WIDTH), ()),
        ((WIDTH, 3, HEADS, SIZE), ()),
        ((WIDTH, 3, HEADS, SIZE), (3, HEADS, SIZE)),
    ],
)
def test_queries_keys_and_values_in_one(shape: tuple[int, ...], bias: tuple[int, ...]) -> None:
    parts = [matrix(WIDTH, WIDTH) for _ in range(3)]
    arrays = {"attn.qkv.kernel": np.concatenate(parts).T.reshape(shape)}
    found = planned(arrays | ({"attn.qkv.bias": np.ones(bias)} if bias else {}))
    for label, weight in zip("qkv", parts, strict=True):
        np.testing.assert_array_equal(found[f"attn.qkv.kernel[{label}]"], weight[None])


@pytest.mark.parametrize(("gates", "labels"), [(4, "ifgo"), (3, "zrh")])
def test_gates_of_kerass_recurrent_layers(gates: int, labels: str) -> None:
    units, inputs = 8, 5
    into, back = ([matrix(units, size) for _ in range(gates)] for size in (inputs, units))
    found = planned({"cell.kernel": np.concatenate(into).T, "cell.recurrent_kernel": np.concatenate(back).T})
    for number, label in enumerate(labels):
        np.testing.assert_array_equal(found[f"cell.kernel[{label}]"], into[number][None])
        np.testing.assert_array_equal(found[f"cell.recurrent_kernel[{label}]"], back[number][None])


def test_gate_and_up_in_one_kernel() -> None:
    gate, up = matrix(96, WIDTH), matrix(96, WIDTH)
    arrays = {
        "blocks.0.mlp.gate_up_proj.kernel": np.concatenate([gate, up]).T,
        "blocks.0.mlp.down_proj.kernel": matrix(96, WIDTH),
    }
    found = planned(arrays)
    np.testing.assert_array_equal(found["blocks.0.mlp.gate_up_proj.kernel[gate]"], gate[None])
    np.testing.assert_array_equal(found["blocks.0.mlp.gate_up_proj.kernel[up]"], up[None])
    assert planned(arrays, MatrixRules(split_fused=False))["blocks.0.mlp.gate_up_proj.kernel"].shape == (
        1,
        192,
        WIDTH,
    )


@pytest.mark.parametrize(
    ("name", "shape", "beside"),
    [
        # Stacks without biases: of layers, or a projection with heads?
        ("mlp.wi.kernel", (LAYERS, WIDTH, 96), {}),
        ("layers.self_attention.query.kernel", (WIDTH, LAYERS, HEADS, SIZE), {}),
        ("proj.kernel", (HEADS, SIZE, WIDTH), {"proj__bias": (WIDTH,)}),
        ("conv.kernel", (2, 2, 2, 2, 2, 2), {}),
        ("block.layer.kernel", (LAYERS, 3, 96, 10), {"block__layer__bias": (LAYERS, 10)}),
    ],
)
def test_axes_that_nothing_tells_are_no_guess(name: str, shape: tuple[int, ...], beside: Any) -> None:
    assert "the order of its axes can't be told" in reason(name, *shape, **beside)

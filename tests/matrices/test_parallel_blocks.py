"""Projections that hold q, k, v and an MLP's first layer, in every storage."""

from __future__ import annotations

import numpy as np
import pytest

from tests.matrices.tiny_models import tensor
from tests.oracles import Oracle
from wqscore.matrices.matrix_rules import MatrixRules
from wqscore.matrices.model_config import ModelConfig
from wqscore.matrices.plan import plan_matrices
from wqscore.matrices.weight_matrix import WeightMatrix

diffusers = Oracle("diffusers")
W = 32
Shapes = dict[str, tuple[int, ...]]


def parts(shapes: Shapes) -> dict[str, WeightMatrix]:
    tensors = [tensor(name, *shape) for name, shape in shapes.items()]
    found = plan_matrices(tensors, ModelConfig({}), MatrixRules())
    return {matrix.name: matrix for matrix in found if isinstance(matrix, WeightMatrix)}


@pytest.mark.parametrize("ones", [(), (1,), (1, 1)])
@pytest.mark.parametrize(
    ("names", "rows", "inputs", "labels"),
    [
        (("single_blocks.3.linear1", "single_blocks.3.linear2"), 7, 5, ["q", "k", "v", "up"]),
        (("single_blocks.3.linear1", "single_blocks.3.linear2"), 9, 4, ["q", "k", "v", "gate", "up"]),
        (("layers.0.attn.to_qkv_mlp_proj", "layers.0.attn.to_out"), 9, 4, ["q", "k", "v", "gate", "up"]),
    ],
)
def test_the_parts_cover_the_rows_in_order(
    names: tuple[str, str], rows: int, inputs: int, labels: list[str], ones: tuple[int, ...]
) -> None:
    first, last = (f"{name}.weight" for name in names)
    # A 3 × 3 kernel elsewhere says whose order of axes it is.
    others = {"stem.weight": (64, 64, 3, 3)} if ones else {}
    found = parts({first: (rows * W, W, *ones), last: (W, inputs * W, *ones), **others})
    taken = [matrix for name, matrix in found.items() if name.startswith(first)]
    assert [matrix.name for matrix in taken] == [f"{first}[{label}]" for label in labels]
    values = np.arange(rows * W * W, dtype=float).reshape(rows * W, W, *ones)
    joined = np.concatenate([matrix.values(values)[0] for matrix in taken])
    np.testing.assert_array_equal(joined, values.reshape(rows * W, W))


def test_timms_block_has_the_mlp_first() -> None:
    found = parts(
        {
            "blocks.0.in_proj.weight": (7 * W, W),
            "blocks.0.attn_out_proj.weight": (W, W),
            "blocks.0.mlp_out_proj.weight": (W, 4 * W),
        }
    )
    sizes = {name.removeprefix("blocks.0.in_proj.weight"): matrix.rows for name, matrix in found.items()}
    assert [sizes[f"[{label}]"] for label in ("up", "q", "k", "v")] == [4 * W, W, W, W]


@pytest.mark.parametrize("ones", [(), (1,), (1, 1)])
@pytest.mark.parametrize(
    ("name", "rows", "beside"),
    [
        ("u.1.first.weight", 7, {"u.1.second.weight": (W, 5 * W)}),
        ("u.1.first.weight", 11, {"u.1.second.weight": (W, 5 * W)}),
        ("x.attention.both.weight", 3, {"x.attention.last.weight": (W, W)}),
        ("blocks.0.adaLN_modulation.1.weight", 6, {}),
        ("transformer_blocks.0.norm1.linear.weight", 6, {}),
        ("middle.1.context_module.qkv.conv.weight", 3, {}),
        ("single_blocks.0.linear1.weight", 7, {}),
    ],
)
def test_rows_of_several_widths_are_flagged(name: str, rows: int, beside: Shapes, ones: tuple[int, ...]) -> None:
    others = {"stem.weight": (64, 64, 3, 3)} if ones else {}
    shapes = {other: (*shape, *ones) for other, shape in beside.items()} | others
    found = parts({name: (rows * W, W, *ones), **shapes})
    assert found[name].flags == ("fused",)
    assert not any(matrix.flags for other, matrix in found.items() if other != name)


def test_ordinary_layers_are_not_flagged() -> None:
    found = parts(
        {
            "layers.0.linear1.weight": (4 * W, W),
            "layers.0.linear2.weight": (W, 4 * W),
            "layers.0.self_attn.q_proj.weight": (W, W),
            "layers.0.self_attn.o_proj.weight": (W, W),
            "layers.0.extra.weight": (4 * W, W),
            "layers.1.up_proj.weight": (3 * W, W),
            "layers.1.down_proj.weight": (W, 3 * W),
            "head.weight": (10, W),
        }
    )
    assert not any(matrix.flags for matrix in found.values())


def test_guided_diffusions_attention_does_not_say_how_its_heads_lie() -> None:
    shapes = {"mid.1.qkv.weight": (3 * W, W, 1), "mid.1.proj_out.weight": (W, W, 1), "in.weight": (64, 64, 3)}
    assert parts(shapes)["mid.1.qkv.weight"].flags == ("fused",)


def test_the_gate_of_diffusers_feed_forward_comes_last() -> None:
    found = parts({"b.0.ff.net.0.proj.weight": (8 * W, W), "b.0.ff.net.2.weight": (W, 4 * W)})
    assert list(found)[:2] == ["b.0.ff.net.0.proj.weight[up]", "b.0.ff.net.0.proj.weight[gate]"]
    assert found["b.0.ff.net.0.proj.weight[gate]"].role == "mlp.gate"


@pytest.mark.oracle("torch", "diffusers")
def test_diffusers_own_gated_feed_forward() -> None:
    import torch
    from diffusers.models.attention import FeedForward

    layer = FeedForward(W, activation_fn="geglu").double()
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter)
    layer.net[0].proj.bias.data.zero_()
    state = {f"b.0.ff.{name}": value.numpy() for name, value in layer.state_dict().items()}
    found = parts({name: value.shape for name, value in state.items() if name.endswith("weight")})
    name = "b.0.ff.net.0.proj.weight"
    up, gate = (found[f"{name}[{label}]"].values(state[name])[0] for label in ("up", "gate"))
    inputs = torch.eye(W, dtype=torch.double)
    expected = (inputs.numpy() @ up.T) * torch.nn.functional.gelu(inputs @ torch.from_numpy(gate.T)).numpy()
    np.testing.assert_allclose(layer.net[0](inputs).detach().numpy(), expected, rtol=1e-9)

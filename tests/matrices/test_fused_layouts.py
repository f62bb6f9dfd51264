"""Fused tensors of torch's own modules, and of architectures whose code is published elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.matrices.tiny_models import header, outcome, plan_folder, tensor
from tests.oracles import Oracle
from wqscore.checkpoints.tensor import TensorRef
from wqscore.matrices.matrix_rules import MatrixRules
from wqscore.matrices.model_config import ModelConfig
from wqscore.matrices.plan import plan_matrices
from wqscore.matrices.weight_matrix import WeightMatrix

torch = Oracle("torch")
safetensors_torch = Oracle("safetensors.torch")

SIDE = 64
HEAD = 16


def cut(name: str, weight: Any, config: dict[str, Any], beside: tuple[TensorRef, ...] = ()) -> dict[str, np.ndarray]:
    """The parts of one tensor by label; the tensor itself under "" when it was left whole."""
    array = np.asarray(weight)
    outcomes = outcome((tensor(name, *array.shape), *beside), config)
    found = [o for o in outcomes if isinstance(o, WeightMatrix) and o.tensor.name == name]
    return {m.name.removeprefix(name).strip("[]"): m.values(array)[0] for m in found}


# Each function is the split of the modelling code that was published with the weights: from the output of the
# fused layer (tokens, features) to q, k and v, (tokens, heads · head size) each.


def qwen(mixed: Any) -> Any:
    return mixed.split(SIDE, dim=-1)


def internlm2(mixed: Any) -> Any:
    # rearrange(qkv, "b q (h gs d) -> b q h gs d", gs=2 + groups), with 2 key–value heads for 4 query heads
    heads = mixed.view(-1, 2, 4, HEAD)
    return heads[..., :2, :].flatten(1), heads[..., -2, :].flatten(1), heads[..., -1, :].flatten(1)


def chatglm2(mixed: Any) -> Any:
    return mixed.split([4 * HEAD, 2 * HEAD, 2 * HEAD], dim=-1)


def chatglm(mixed: Any) -> Any:
    # view(…, heads, 3 · head size), then split_tensor_along_last_dim(…, 3)
    return [part.flatten(1) for part in mixed.view(-1, 4, 3 * HEAD).chunk(3, dim=-1)]


def neobert(mixed: Any) -> Any:
    # view(…, heads, 3 · head size), then chunk(3, axis=-1)
    return [part.flatten(1) for part in mixed.view(-1, 4, 3 * HEAD).chunk(3, axis=-1)]


def thirds(mixed: Any) -> Any:
    # timm's Attention, reshape(B, N, 3, heads, head size); Baichuan's unflatten(-1, (3, hidden)); MosaicBERT's,
    # flash-attention's and MoonViT's view(…, 3, heads, head size)
    return mixed.view(-1, 3, 4, HEAD).unbind(1)


def packed_groups(mixed: Any) -> Any:
    # MPT's and OLMo's qkv.split([d_model, kv_n_heads · head size, kv_n_heads · head size])
    return mixed.split([SIDE, 2 * HEAD, 2 * HEAD], dim=-1)


INTERNLM2 = {
    "model_type": "internlm2",
    "hidden_size": SIDE,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}
NEOBERT = {"model_type": "neobert", "hidden_size": SIDE, "num_attention_heads": 4}
CHATGLM = {"model_type": "chatglm", "hidden_size": SIDE, "num_attention_heads": 4}
CHATGLM2 = {**CHATGLM, "kv_channels": HEAD, "multi_query_attention": True, "multi_query_group_num": 2}
MPT = {"model_type": "mpt", "d_model": SIDE, "n_heads": 4, "attn_config": {"kv_n_heads": 2}}
OLMO = {"model_type": "hf_olmo", "d_model": SIDE, "n_heads": 4, "n_kv_heads": 2}


@pytest.mark.oracle("torch", "transformers")
@pytest.mark.parametrize(
    ("name", "rows", "split", "config"),
    [
        ("transformer.h.0.attn.c_attn.weight", 192, qwen, {"model_type": "qwen", "hidden_size": SIDE}),
        ("model.layers.0.attention.wqkv.weight", 128, internlm2, INTERNLM2),
        ("language_model.model.layers.0.attention.wqkv.weight", 128, internlm2, {"llm_config": INTERNLM2}),
        ("transformer.encoder.layers.0.self_attention.query_key_value.weight", 128, chatglm2, CHATGLM2),
        ("transformer.layers.0.attention.query_key_value.weight", 192, chatglm, CHATGLM),
        ("model.transformer_encoder.0.qkv.weight", 192, neobert, NEOBERT),
        ("blocks.0.attn.qkv.weight", 192, thirds, {"architecture": "vit_tiny_patch16_224"}),
        ("model.layers.0.self_attn.W_pack.weight", 192, thirds, {"model_type": "baichuan"}),
        ("bert.encoder.layer.0.attention.self.Wqkv.weight", 192, thirds, {}),
        (
            "vision_tower.encoder.blocks.0.wqkv.weight",
            192,
            thirds,
            {"vision_config": {"model_type": "moonvit"}},
        ),
        ("transformer.blocks.0.attn.Wqkv.weight", 128, packed_groups, MPT),
        ("model.transformer.blocks.0.att_proj.weight", 128, packed_groups, OLMO),
        ("layers.0.0.to_qkv.weight", 192, thirds, {}),
    ],
)
def test_published_splits(name: str, rows: int, split: Callable[[Any], Any], config: dict[str, Any]) -> None:
    weight = torch.randn(rows, SIDE)
    projected = split(torch.nn.functional.linear(torch.eye(SIDE), weight))
    parts = cut(name, weight, config)
    assert set(parts) == set("qkv")
    for label, expected in zip("qkv", projected, strict=True):
        np.testing.assert_array_equal(parts[label], expected.reshape(SIDE, -1).T)


@pytest.mark.oracle("torch", "transformers")
def test_pyramid_vision_transformers_fuse_keys_and_values() -> None:
    weight = torch.randn(128, SIDE)
    # PVT and SegFormer: kv(x).reshape(B, N, 2, heads, head size)
    keys, values = torch.nn.functional.linear(torch.eye(SIDE), weight).view(SIDE, 2, SIDE).unbind(1)
    parts = cut("block1.0.attn.kv.weight", weight, {})
    np.testing.assert_array_equal(parts["k"], keys.T)
    np.testing.assert_array_equal(parts["v"], values.T)


#: What shows that the rows of q_proj are twice those of the queries.
GATED = (tensor("model.layers.0.self_attn.q_norm.weight", HEAD),)
GATED += tuple(tensor(f"model.layers.0.self_attn.{name}_proj.weight", 32, SIDE) for name in "kv")
GATED += (tensor("model.layers.0.self_attn.o_proj.weight", SIDE, SIDE),)


@pytest.mark.parametrize(
    ("name", "rows", "beside"),
    [
        ("model.layers.0.self_attn.qkv_proj.weight", 192, ()),
        ("transformer.h.0.attn.c_attn.weight", 192, ()),
        ("model.layers.0.attention.wqkv.weight", 192, ()),
        ("blocks.0.attn.qkv.weight", 128, ()),
        # LeViT's kin go head by head, with keys narrower than values.
        ("blocks.0.attn.qkv.weight", 192, (tensor("blocks.0.attn.attention_biases", 4, 49),)),
        ("model.layers.0.linear_attn.in_proj_qkvz.weight", 192, ()),
        ("visual.transformer.resblocks.0.attn.in_proj.weight", 192, ()),
        # Their head counts are in the configuration alone.
        ("model.transformer_encoder.0.qkv.weight", 192, ()),
        ("model.layers.0.self_attn.kv_a_proj_with_mqa.weight", 72, ()),
        ("model.layers.0.self_attn.q_proj.weight", 128, GATED),
        # A state space without the tensors that give its sizes, and one of several heads (Zamba).
        ("layers.0.mixer.in_proj.weight", 256, (tensor("layers.0.mixer.A_log", 128, 16),)),
        (
            "layers.0.mamba.in_proj.weight",
            256,
            (tensor("layers.0.mamba.A_log", 2, 64, 16), tensor("layers.0.mamba.out_proj.weight", SIDE, 128)),
        ),
    ],
)
def test_names_that_several_layouts_share(name: str, rows: int, beside: tuple[TensorRef, ...]) -> None:
    outcomes = outcome((tensor(name, rows, SIDE), *beside))
    (whole,) = [o for o in outcomes if isinstance(o, WeightMatrix) and o.tensor.name == name]
    assert (whole.name, whole.rows, whole.columns, whole.flags) == (name, rows, SIDE, ("fused",))


@pytest.mark.oracle("torch", "transformers")
def test_multihead_attention() -> None:
    module = torch.nn.MultiheadAttention(SIDE, 4, bias=False)
    weight = module.in_proj_weight.detach()
    eye = torch.eye(SIDE)
    projected = torch.nn.functional._in_projection_packed(eye, eye, eye, weight)
    parts = cut("layers.0.self_attn.in_proj_weight", weight, {})
    for label, expected in zip("qkv", projected, strict=True):
        np.testing.assert_array_equal(parts[label], expected.T)


def recurrent_parts(module: Any, folder: Path) -> dict[str, Any]:
    named = {f"rnn.{name}": parameter.detach() for name, parameter in module.named_parameters()}
    safetensors_torch.save_file(named, folder / "model.safetensors")
    found = [o for o in plan_folder(folder) if isinstance(o, WeightMatrix)]
    return {o.name.removeprefix("rnn."): torch.from_numpy(o.values(o.tensor.read())[0].copy()) for o in found}


@pytest.mark.oracle("torch", "transformers")
@pytest.mark.parametrize("projection", [0, 12])
def test_lstm_gates(projection: int, tmp_path: Path) -> None:
    module = torch.nn.LSTM(20, 24, bias=False, proj_size=projection)
    parts = recurrent_parts(module, tmp_path)
    x, h, c = torch.randn(1, 20), torch.randn(1, projection or 24), torch.randn(1, 24)
    gates = {g: x @ parts[f"weight_ih_l0[{g}]"].T + h @ parts[f"weight_hh_l0[{g}]"].T for g in "ifgo"}
    new_c = gates["f"].sigmoid() * c + gates["i"].sigmoid() * gates["g"].tanh()
    new_h = gates["o"].sigmoid() * new_c.tanh()
    if projection:
        new_h = new_h @ parts["weight_hr_l0"].T
    _, (expected_h, expected_c) = module(x[None], (h[None], c[None]))
    torch.testing.assert_close(new_h, expected_h[0])
    torch.testing.assert_close(new_c, expected_c[0])


@pytest.mark.oracle("torch", "transformers")
def test_gru_gates(tmp_path: Path) -> None:
    module = torch.nn.GRU(20, 24, num_layers=2, bias=False, bidirectional=True)
    parts = recurrent_parts(module, tmp_path)
    assert len(parts) == 2 * 2 * 2 * 3
    cell = torch.nn.GRUCell(20, 24, bias=False)
    x, h = torch.randn(1, 20), torch.randn(1, 24)
    own = recurrent_parts(cell, tmp_path)
    gates = {g: (x @ own[f"weight_ih[{g}]"].T, h @ own[f"weight_hh[{g}]"].T) for g in "rzn"}
    reset, update = (sum(gates[g]).sigmoid() for g in "rz")
    new = (gates["n"][0] + reset * gates["n"][1]).tanh()
    torch.testing.assert_close((1 - update) * new + update * h, cell(x, h))


@pytest.mark.oracle("torch", "transformers")
def test_a_plain_recurrent_cell_has_no_gates(tmp_path: Path) -> None:
    module = torch.nn.RNN(20, 24, bias=False)
    parts = recurrent_parts(module, tmp_path)
    torch.testing.assert_close(parts["weight_ih_l0"], module.weight_ih_l0)
    assert set(parts) == {"weight_ih_l0", "weight_hh_l0"}


@pytest.mark.parametrize("gates", [2, 5])
def test_gates_of_an_unknown_cell_stay_together(gates: int) -> None:
    outcomes = outcome((tensor("rnn.weight_ih_l0", gates * 24, 20), tensor("rnn.weight_hh_l0", gates * 24, 24)))
    assert [o.flags for o in outcomes if isinstance(o, WeightMatrix)] == [("fused",), ("fused",)]


SIZE = st.integers(1, 6)
NAMES = [
    "h.0.attn.c_attn.weight",
    "h.0.crossattention.c_attn.weight",
    "layers.0.attention.query_key_value.weight",
    "layers.0.self_attn.qkv_proj.weight",
    "layers.0.attn.Wqkv.weight",
    "layers.0.attention.wqkv.weight",
    "blocks.0.attn.qkv.weight",
    "blocks.0.attn.kv.weight",
    "layers.0.self_attn.in_proj_weight",
    "layer.0.attention.self.in_proj.weight",
    "layers.0.self_attn.kv_b_proj.weight",
    "layers.0.mlp.gate_up_proj.weight",
    "layers.0.mlp.w12.weight",
    "rnn.weight_ih_l0",
    "transformer_encoder.0.qkv.weight",
    "layers.0.self_attn.kv_a_proj_with_mqa.weight",
    "layers.0.linear_attn.in_proj_qkv.weight",
    "layers.0.linear_attn.in_proj_qkvz.weight",
    "layers.0.linear_attn.in_proj_ba.weight",
    "layers.0.self_attn.q_proj.weight",
    "layers.0.mixer.in_proj.weight",
    "layers.0.mixer.x_proj.weight",
    "layers.0.conv.in_proj.weight",
]
TYPES = [
    *(
        "gpt2",
        "gpt_bigcode",
        "qwen",
        "gpt_neox",
        "bloom",
        "falcon",
        "RefinedWeb",
        "chatglm",
        "phi3",
        "minimax",
    ),
    *("codegen", "internlm2", "moonvit", "deberta", "deepseek_v3", "mpt", "nomic_bert", "qwen3_next", "none"),
]


@st.composite
def fused_tensors(draw: st.DrawFn) -> tuple[str, tuple[int, int], dict[str, Any]]:
    heads, size, groups = draw(SIZE), draw(SIZE), draw(SIZE)
    hidden = draw(st.sampled_from([heads * size, draw(st.integers(1, 24))]))
    shares = [
        3 * heads * size,
        (heads + 2 * groups) * size,
        (heads + 2) * size,
        2 * hidden,
        draw(st.integers(1, 40)),
    ]
    config = {
        "hidden_size": hidden,
        "num_attention_heads": heads,
        "head_dim": size,
        "num_key_value_heads": groups,
    }
    config |= {"model_type": draw(st.sampled_from(TYPES)), "multi_query": draw(st.booleans())}
    config |= {"new_decoder_architecture": draw(st.booleans()), "multi_query_attention": draw(st.booleans())}
    config |= {"qk_nope_head_dim": size, "v_head_dim": groups, "kv_lora_rank": heads, "qk_rope_head_dim": size}
    config |= {"linear_num_key_heads": heads, "linear_num_value_heads": heads * groups}
    config |= {"linear_key_head_dim": size, "linear_value_head_dim": groups}
    shares += [heads + size, 2 * heads * (size + groups**2), 2 * heads * size + heads * groups**2, 2 * heads * groups]
    shape = (draw(st.sampled_from(shares)), hidden)
    return draw(st.sampled_from(NAMES)), draw(st.sampled_from([shape, shape[::-1]])), config


@st.composite
def neighbours(draw: st.DrawFn) -> list[TensorRef]:
    """Tensors of any size that a recurrent layer's projections, or gated queries, may have beside them."""
    shapes = {
        "mixer.A_log": draw(st.lists(SIZE, min_size=1, max_size=3)),
        "mixer.out_proj.weight": draw(st.lists(SIZE, min_size=1, max_size=2)),
        "mixer.conv1d.weight": draw(st.lists(SIZE, min_size=1, max_size=3)),
        "mixer.dt_proj.weight": draw(st.lists(SIZE, min_size=1, max_size=2)),
        "mixer.x_proj.weight": draw(st.lists(SIZE, min_size=2, max_size=2)),
        "conv.conv.weight": draw(st.lists(SIZE, min_size=1, max_size=3)),
        "self_attn.q_norm.weight": draw(st.lists(SIZE, min_size=1, max_size=2)),
        "self_attn.o_proj.weight": draw(st.lists(SIZE, min_size=1, max_size=2)),
        "self_attn.k_proj.weight": [4, 4],
        "self_attn.v_proj.weight": [4, 4],
    }
    chosen = draw(st.lists(st.sampled_from(sorted(shapes)), unique=True))
    return [tensor(f"layers.0.{name}", *shapes[name]) for name in chosen]


@given(fused_tensors(), neighbours())
def test_parts_hold_each_element_exactly_once(
    drawn: tuple[str, tuple[int, int], dict[str, Any]], beside: list[TensorRef]
) -> None:
    name, shape, config = drawn
    array = np.arange(shape[0] * shape[1], dtype=np.float32).reshape(shape)
    tensors = [tensor(name, *shape)] + [tensor("rnn.weight_hh_l0", 4 * 6, 6)] * (name == "rnn.weight_ih_l0")
    tensors += [other for other in beside if other.name != name]
    outcomes = plan_matrices(header(*tensors), ModelConfig(config), MatrixRules())
    parts = [o for o in outcomes if isinstance(o, WeightMatrix) and o.tensor.name == name]
    assert len({part.name for part in parts}) == len(parts)
    assert all(part.values(array).shape == (1, part.rows, part.columns) for part in parts)
    held = np.concatenate([part.values(array).ravel() for part in parts])
    np.testing.assert_array_equal(np.sort(held), array.ravel())

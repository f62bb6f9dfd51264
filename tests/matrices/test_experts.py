"""Experts cut from their stacks against what each model's own experts compute."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.matrices.tiny_models import Model, build, matrices, outcome, rewrite_config, save, tensor, value
from tests.oracles import Oracle
from wqscore.matrices.matrix_rules import MatrixRules
from wqscore.matrices.model_config import ModelConfig
from wqscore.matrices.plan import plan_matrices
from wqscore.matrices.weight_matrix import SkippedTensor, WeightMatrix

torch = Oracle("torch")
safetensors_torch = Oracle("safetensors.torch")

SIDE = 64
EXPERTS = 4
SIZES = {"hidden_size": SIDE, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
SIZES |= {"intermediate_size": 96, "vocab_size": 50, "pad_token_id": 0, "num_experts_per_tok": 2}
LOCAL = {**SIZES, "num_local_experts": EXPERTS}
OSS = {**LOCAL, "head_dim": 16}
GLOBAL = {**SIZES, "num_experts": EXPERTS, "moe_intermediate_size": 24, "head_dim": 16}
ROTARY = {"kv_n_heads": 2, "rope_theta": 10000.0, "clip_qkv": 1000}
DBRX = {"d_model": SIDE, "n_heads": 4, "n_layers": 2, "vocab_size": 50, "attn_config": ROTARY}
DBRX |= {"ffn_config": {"ffn_hidden_size": 48, "moe_num_experts": EXPERTS, "moe_top_k": 2}}
JETMOE = {"hidden_size": SIDE, "num_hidden_layers": 2, "num_key_value_heads": 2, "kv_channels": 16}
JETMOE |= {"intermediate_size": 96, "num_local_experts": EXPERTS, "num_experts_per_tok": 2, "vocab_size": 50}


def swiglu(gate: Any, up: Any) -> Any:
    return torch.nn.functional.silu(gate) * up


def gpt_oss(gate: Any, up: Any) -> Any:
    """Of the model's description: a SwiGLU with a sharper sigmoid and a residual, whose limits are not reached."""
    return gate * torch.sigmoid(1.702 * gate) * (up + 1)


@dataclass(frozen=True)
class Case:
    model_class: str
    model_type: str
    sizes: dict[str, Any]
    module: str
    gate: str
    up: str
    down: str
    product: Callable[[Any, Any], Any] = swiglu


MIXTRAL = "model.layers.1.block_sparse_moe.experts.{}"
QWEN = "model.layers.1.mlp.experts.{}"
GRANITE = "model.layers.1.block_sparse_moe"
LLAMA4 = "model.layers.1.feed_forward.experts"
STACK = "layers.1.mlp.experts"
DBRX_MLP = "transformer.blocks.1.ffn.experts.mlp"


def stacked(block: str, up: str = "gate_up_proj", down: str = "down_proj") -> tuple[str, str, str]:
    return f"{block}.{up}[{{}}.gate]", f"{block}.{up}[{{}}.up]", f"{block}.{down}[{{}}]"


def single(block: str, gate: str, up: str, down: str) -> tuple[str, str, str]:
    return f"{block}.{gate}.weight", f"{block}.{up}.weight", f"{block}.{down}.weight"


CASES = [
    Case("MixtralForCausalLM", "mixtral", LOCAL, "model.layers.1.mlp.experts", *single(MIXTRAL, "w1", "w3", "w2")),
    Case(
        "Qwen2MoeForCausalLM",
        "qwen2_moe",
        {**GLOBAL, "shared_expert_intermediate_size": 40},
        "model.layers.1.mlp.experts",
        *single(QWEN, "gate_proj", "up_proj", "down_proj"),
    ),
    Case(
        "Qwen3MoeForCausalLM",
        "qwen3_moe",
        GLOBAL,
        "model.layers.1.mlp.experts",
        *single(QWEN, "gate_proj", "up_proj", "down_proj"),
    ),
    Case("Qwen3VLMoeTextModel", "qwen3_vl_moe_text", GLOBAL, STACK, *stacked(STACK)),
    Case(
        "GraniteMoeForCausalLM",
        "granitemoe",
        LOCAL,
        f"{GRANITE}.experts",
        *stacked(GRANITE, "input_linear.weight", "output_linear.weight"),
    ),
    Case("GptOssForCausalLM", "gpt_oss", OSS, f"model.{STACK}", *stacked(f"model.{STACK}"), gpt_oss),
    Case(
        "DbrxForCausalLM",
        "dbrx",
        DBRX,
        "transformer.blocks.1.ffn.experts",
        *(f"{DBRX_MLP}.{name}[{{}}]" for name in ("w1", "v1", "w2")),
    ),
    Case(
        "AriaTextForCausalLM",
        "aria_text",
        {**SIZES, "moe_num_experts": EXPERTS, "moe_topk": 2, "moe_num_shared_experts": 1},
        f"model.{STACK}",
        *stacked(f"model.{STACK}", "fc1.weight", "fc2.weight"),
    ),
]  # fmt: skip


def project(hidden: Any, weights: np.ndarray) -> Any:
    """Multiply by W or Wᵀ: stacks are stored in either orientation, and the sizes show which."""
    matrix = torch.from_numpy(weights).float()
    return hidden @ (matrix if matrix.shape[0] == hidden.shape[1] else matrix.T)


def assert_experts(case: Case, folder: Path, computed: list[Any]) -> None:
    found = matrices(folder)
    for expert, expected in enumerate(computed):
        gate, up, down = (found[name.format(expert)] for name in (case.gate, case.up, case.down))
        assert (gate.role, up.role, down.role) == ("mlp.gate", "mlp.in", "mlp.out")
        assert {gate.depth, up.depth, down.depth} == {1}
        eye = torch.eye(SIDE)
        output = project(case.product(project(eye, value(gate)), project(eye, value(up))), value(down))
        torch.testing.assert_close(output, expected, rtol=1e-4, atol=1e-3)


def run_experts(model: Model, module: str) -> list[Any]:
    """What each expert makes of the identity's rows."""
    experts, weight = model.get_submodule(module), torch.ones(SIDE, 1)
    with torch.no_grad():
        chosen = [torch.full((SIDE, 1), expert) for expert in range(EXPERTS)]
        return [experts(torch.eye(SIDE), index, weight).reshape(SIDE, SIDE) for index in chosen]


@pytest.mark.oracle("torch", "transformers")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.model_type)
def test_experts_compute_what_the_models_do(case: Case, tmp_path: Path) -> None:
    model = build(case.model_class, case.model_type, **case.sizes)
    assert_experts(case, save(model, tmp_path), run_experts(model, case.module))


@pytest.mark.oracle("torch", "transformers")
@pytest.mark.parametrize("case", CASES[:5], ids=lambda case: case.model_type)
def test_experts_as_transformers_holds_them_in_memory(case: Case, tmp_path: Path) -> None:
    """A state dict written as it is, without the names that transformers gives it on disk."""
    model = build(case.model_class, case.model_type, **case.sizes)
    safetensors_torch.save_file(dict(model.state_dict()), tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text("{}")
    rewrite_config(tmp_path, model_type=case.model_type)
    names = stacked(case.module)
    in_memory = Case(case.model_class, case.model_type, case.sizes, case.module, *names)
    assert_experts(in_memory, tmp_path, run_experts(model, case.module))


@pytest.mark.oracle("torch", "transformers")
def test_llama4_sorts_tokens_by_expert(tmp_path: Path) -> None:
    sizes = {**LOCAL, "intermediate_size_mlp": 40, "head_dim": 16, "interleave_moe_layer_step": 1}
    model = build("Llama4ForCausalLM", "llama4_text", **sizes)
    case = Case("Llama4ForCausalLM", "llama4_text", sizes, LLAMA4, *stacked(LLAMA4))
    with torch.no_grad():
        computed = model.get_submodule(LLAMA4)(torch.eye(SIDE).repeat(EXPERTS, 1)).split(SIDE)
    assert_experts(case, save(model, tmp_path), list(computed))


@pytest.mark.oracle("torch", "transformers")
def test_jetmoe_has_experts_in_its_attention_too(tmp_path: Path) -> None:
    model = build("JetMoeForCausalLM", "jetmoe", **JETMOE)
    found = matrices(save(model, tmp_path))
    moe, attention = model.model.layers[1].mlp, model.model.layers[1].self_attention.experts
    for expert in range(EXPERTS):
        tokens = [SIDE if e == expert else 0 for e in range(EXPERTS)]
        with torch.no_grad():
            # The first half is activated: JetMoeMoE.forward.
            gate, up = moe.input_linear(torch.eye(SIDE), tokens).chunk(2, dim=-1)
            queries = attention.input_linear(torch.eye(SIDE), tokens)
        block = "model.layers.1.mlp.input_linear.weight"
        np.testing.assert_allclose(value(found[f"{block}[{expert}.gate]"]), gate.T, atol=1e-6)
        np.testing.assert_allclose(value(found[f"{block}[{expert}.up]"]), up.T, atol=1e-6)
        query = found[f"model.layers.1.self_attention.experts.input_linear.weight[{expert}]"]
        np.testing.assert_allclose(value(query), queries.T, atol=1e-6)
        assert query.role == "attention.q"
        assert found[f"model.layers.1.self_attention.experts.output_linear.weight[{expert}]"].role == "attention.o"


GATE_UP = "model.layers.0.mlp.experts.gate_up_proj"
DOWN = "model.layers.0.mlp.experts.down_proj"


def gate_up(shape: tuple[int, ...], config: dict[str, Any], *beside: Any) -> list[WeightMatrix]:
    outcomes = outcome((tensor(GATE_UP, *shape), *beside), config)
    return [o for o in outcomes if isinstance(o, WeightMatrix) and o.tensor.name == GATE_UP]


@pytest.mark.parametrize(
    ("shape", "down", "rows", "columns"),
    [((2, 48, 64), (2, 64, 24), 24, 64), ((2, 64, 48), (2, 24, 64), 64, 24), ((2, 64, 64), (2, 64, 32), 32, 64),
     ((2, 64, 64), (2, 32, 64), 64, 32)],
)  # fmt: skip
def test_the_down_projection_gives_the_orientation(
    shape: tuple[int, ...], down: tuple[int, ...], rows: int, columns: int
) -> None:
    found = gate_up(shape, {}, tensor(DOWN, *down))
    assert [m.name.removeprefix(GATE_UP) for m in found] == ["[0.gate]", "[0.up]", "[1.gate]", "[1.up]"]
    assert {(m.rows, m.columns) for m in found} == {(rows, columns)}


def test_the_hidden_size_gives_the_orientation_without_it() -> None:
    assert {(m.rows, m.columns) for m in gate_up((2, 48, 64), {"hidden_size": 64})} == {(24, 64)}
    nested = {"text_config": {"hidden_size": 48}, "vision_config": {"hidden_size": 96}}
    assert {(m.rows, m.columns) for m in gate_up((2, 48, 64), nested)} == {(48, 32)}


@pytest.mark.parametrize(
    ("shape", "config", "beside"),
    [
        ((2, 48, 64), {}, ()),
        ((2, 64, 64), {"hidden_size": 64}, ()),
        ((2, 47, 64), {"hidden_size": 64}, ()),
        # Biases are gpt-oss's kind, which puts gate and up in turn: nothing here says whether this one does.
        ((2, 64, 48), {}, (tensor(DOWN, 2, 24, 64), tensor(f"{GATE_UP}_bias", 2, 48))),
    ],
)
def test_an_unknown_layout_is_whole_and_flagged(
    shape: tuple[int, ...], config: dict[str, Any], beside: tuple[Any, ...]
) -> None:
    found = gate_up(shape, config, *beside)
    assert [(m.name, m.rows, m.columns, m.flags) for m in found] == [
        (f"{GATE_UP}[{expert}]", *shape[1:], ("fused",)) for expert in range(2)
    ]


def test_a_stack_that_claims_a_million_experts_is_one_skip() -> None:
    (skip,) = outcome((tensor(GATE_UP, 1_000_000, 4, 2),))
    assert isinstance(skip, SkippedTensor)
    assert (skip.kind, skip.weights) == ("unread", 8_000_000)


@given(
    st.sampled_from(["gate_up_proj", "down_proj", "w1.weight", "fc1.weight", "input_linear.weight"]),
    st.tuples(st.integers(1, 4), st.integers(2, 12), st.integers(2, 12)),
    st.booleans(),
    st.sampled_from(["gpt_oss", "llama4_text", "none"]),
)
def test_parts_hold_each_element_exactly_once(
    last: str, shape: tuple[int, int, int], transposed: bool, model_type: str
) -> None:
    experts, first, second = shape
    name = f"layers.3.mlp.experts.{last}"
    down = (experts, second, first // 2) if transposed else (experts, second // 2, first)
    beside = tensor(name.replace("gate_up", "down").replace("fc1", "fc2").replace("input", "output"), *down)
    tensors = [tensor(name, *shape), *[beside] * (beside.name != name)]
    array = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    config = ModelConfig({"model_type": model_type, "hidden_size": first})
    parts = [o for o in plan_matrices(tensors, config, MatrixRules()) if isinstance(o, WeightMatrix)]
    parts = [part for part in parts if part.tensor.name == name]
    assert len({part.name for part in parts}) == len(parts) >= experts
    held = np.concatenate([part.values(array).ravel() for part in parts])
    np.testing.assert_array_equal(np.sort(held), array.ravel())

"""With any header and configuration, every tensor gets its outcome, in bounded time."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.matrices.tiny_models import header, outcome, tensor
from wqscore.checkpoints.dtypes import STORED_DTYPES
from wqscore.checkpoints.tensor import TensorRef
from wqscore.matrices.matrix_rules import MatrixRules
from wqscore.matrices.model_config import ModelConfig
from wqscore.matrices.plan import PlannedTensor, plan_matrices
from wqscore.matrices.weight_matrix import SkippedTensor, WeightMatrix

PIECES = [
    *("model", "layers", "h", "0", "1", "10", "007", "²", "٣", "é", "\n", ""),
    *(
        "self_attn",
        "attention",
        "mlp",
        "experts",
        "moe",
        "rel_attn",
        "q_proj",
        "q",
        "qkv",
        "qkv_proj",
        "c_attn",
    ),
    *(
        "query_key_value",
        "in_proj_weight",
        "gate_up_proj",
        "up_proj",
        "down_proj",
        "input_linear",
        "output_linear",
    ),
    *("lm_head", "embed_tokens", "wte", "weight", "bias", "weight_ih_l0", "weight_hh_l0", "weight_hr_l0"),
    *("qweight", "qzeros", "scales", "absmax", "weight_v", "original1", "w1"),
]
NAMES = st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map(".".join) | st.text(max_size=40)
SHAPES = st.lists(st.integers(0, 9), max_size=6) | st.lists(st.sampled_from([0, 1, 3, 2**20, 2**40]), max_size=4)
REFS = st.builds(
    lambda name, shape, dtype, offset: tensor(name, *shape, dtype=dtype, offset=offset),
    NAMES,
    SHAPES,
    st.sampled_from(sorted(STORED_DTYPES)),
    st.integers(0, 3),
)
HEADERS = st.lists(REFS, max_size=6, unique_by=lambda ref: ref.name)
KEYS = st.sampled_from(
    [
        *(
            "hidden_size",
            "num_attention_heads",
            "num_key_value_heads",
            "head_dim",
            "kv_channels",
            "n_head",
            "n_embd",
        ),
        *(
            "tie_word_embeddings",
            "text_config",
            "vision_config",
            "attn_config",
            "ffn_config",
            "moe_num_experts",
        ),
        *("quantization_config", "bits", "config_groups", "multi_query", "auto_map", "model_type"),
    ]
)
SCALARS = st.none() | st.booleans() | st.integers(-3, 70) | st.sampled_from([2**70, "8", 4.0]) | st.text(max_size=4)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=3))
TYPES = st.sampled_from(
    [
        *(
            "gpt2",
            "gpt_neox",
            "falcon",
            "phi3",
            "gpt_bigcode",
            "gpt_oss",
            "dbrx",
            "deepseek_v3",
            "llama",
            "qwen",
        ),
        "no-such-type",
    ]
)


def outcomes_by_tensor(outcomes: tuple[PlannedTensor, ...]) -> Counter[str]:
    return Counter(o.tensor.name if isinstance(o, WeightMatrix) else o.name for o in outcomes)


@given(HEADERS, TYPES, st.dictionaries(KEYS, VALUES, max_size=6), st.booleans())
def test_anything_has_an_outcome(refs: list[TensorRef], model_type: str, file: dict[str, Any], split: bool) -> None:
    config = ModelConfig({"model_type": model_type, **file})
    config.flag("new_decoder_architecture")
    outcomes = plan_matrices(refs, config, MatrixRules(split_fused=split))
    assert set(outcomes_by_tensor(outcomes)) == {ref.name for ref in refs}
    for ref in refs:
        parts = [o for o in outcomes if isinstance(o, WeightMatrix) and o.tensor.name == ref.name]
        skips = [o for o in outcomes if isinstance(o, SkippedTensor) and o.name == ref.name]
        assert len(skips) == (0 if parts else 1)
        assert not parts or sum(part.parameters for part in parts) == ref.parameters
        if parts and ref.parameters < 10_000:
            array = np.arange(ref.parameters).reshape(ref.shape)
            held = np.concatenate([part.values(array).ravel() for part in parts])
            np.testing.assert_array_equal(np.sort(held), array.ravel())


@pytest.mark.parametrize(
    "piece", ["attn.", "qkv", "_", "9", "h.1.", "weight_", "parametrizations.x.", "mlp.experts."]
)
def test_long_names_are_planned(piece: str) -> None:
    name = piece * (100_000 // len(piece))
    outcome((tensor(name, 64, 64), tensor(f"{name}.weight", 64, 64), tensor(f"{name}.experts.w1", 2, 64, 64)))


def llama_70b() -> list[TensorRef]:
    refs = [tensor("model.embed_tokens.weight", 128256, 8192), tensor("lm_head.weight", 128256, 8192)]
    attention = {
        "q_proj": (8192, 8192),
        "k_proj": (1024, 8192),
        "v_proj": (1024, 8192),
        "o_proj": (8192, 8192),
    }
    mlp = {"gate_proj": (28672, 8192), "up_proj": (28672, 8192), "down_proj": (8192, 28672)}
    norms = ("input_layernorm", "post_attention_layernorm")
    for layer in (f"model.layers.{i}" for i in range(80)):
        refs += [tensor(f"{layer}.self_attn.{name}.weight", *shape) for name, shape in attention.items()]
        refs += [tensor(f"{layer}.mlp.{name}.weight", *shape) for name, shape in mlp.items()]
        refs += [tensor(f"{layer}.{name}.weight", 8192) for name in norms]
    return refs


def many_experts() -> list[TensorRef]:
    names = ("gate_proj", "up_proj", "down_proj")
    blocks = [f"model.layers.{i}.mlp.experts.{expert}" for i in range(26) for expert in range(256)]
    return [tensor(f"{block}.{name}.weight", 2048, 7168) for block in blocks for name in names]


@pytest.mark.parametrize(("build", "model_type"), [(llama_70b, "llama"), (many_experts, "deepseek_v3")])
def test_large_models_are_planned_whole(build: Any, model_type: str) -> None:
    refs = header(*build())
    outcomes = plan_matrices(refs, ModelConfig({"model_type": model_type}), MatrixRules())
    assert outcomes_by_tensor(outcomes).total() == len(refs)

"""Fused q/k/v against the projections that each model's own code computes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.matrices.attention_cases import CASES, OLD_SIZES, SIDE, SIZES, Case, text
from tests.matrices.tiny_models import attention_weights, build, matrices, rewrite_config, save, value
from tests.oracles import Oracle

torch = Oracle("torch")

pytestmark = pytest.mark.oracle("torch", "transformers")


@dataclass(frozen=True)
class Saved:
    """A tiny model on disk, and what its attention multiplies."""

    folder: Path
    projected: dict[str, np.ndarray]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Saved]:
    """A tiny model by its name in `CASES`, built once."""
    built: dict[str, Saved] = {}

    def get(name: str) -> Saved:
        if name not in built:
            case = CASES[name]
            model = build(case.model_class, case.model_type, **case.sizes)
            folder = save(model, tmp_path_factory.mktemp(name))
            attention = model.get_submodule(case.attention)
            built[name] = Saved(folder, attention_weights(attention, lambda: case.run(model, attention)))
        return built[name]

    return get


def assert_cut_as_computed(case: Case, saved: Saved) -> None:
    found = matrices(saved.folder)
    parts = {name.split("[")[1][0]: m for name, m in found.items() if name.startswith(f"{case.tensor}[")}
    assert set(parts) == (set("kv") if case.fused == "kv_proj" else set("qkv"))
    for part, matrix in parts.items():
        assert matrix.role == f"attention.{part}"
        assert matrix.flags == ()
        numbers = value(matrix).T if case.transposed else value(matrix)
        np.testing.assert_allclose(numbers / np.linalg.norm(numbers), saved.projected[part], atol=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_parts_are_the_projections_of_the_models_own_code(name: str, saved: Callable[[str], Saved]) -> None:
    assert_cut_as_computed(CASES[name], saved(name))


SIXTY_FOUR = {"hidden_size": SIDE, "num_attention_heads": 4}
OLD_SIXTY_FOUR = {"hidden_size": SIDE, "n_head": 4}


@pytest.mark.parametrize(
    ("name", "config"),
    [
        # What the file leaves out comes from transformers' class of that model_type.
        ("gpt_bigcode-12", {"model_type": "gpt_bigcode", "n_embd": 96}),
        ("gpt_bigcode", {"model_type": "gpt_bigcode", "n_embd": SIDE, "n_head": 4}),
        ("bloom", {"model_type": "bloom", "hidden_size": SIDE}),
        ("falcon-multi-query", {"model_type": "falcon", **SIXTY_FOUR}),
        ("gpt_neox", {"model_type": "gpt_neox", **SIXTY_FOUR}),
        ("deberta", {"model_type": "deberta", **SIXTY_FOUR}),
        ("codegen", {"model_type": "codegen"}),
        ("jetmoe", {"model_type": "jetmoe"}),
        # Names of earlier days.
        ("bloom", {"model_type": "bloom", "n_embed": SIDE, "num_attention_heads": 8}),
        ("falcon-grouped", {"model_type": "RefinedWeb", **OLD_SIXTY_FOUR, "n_head_kv": 2}),
        (
            "falcon-multi-query",
            {"model_type": "RefinedWebModel", "multi_query": True, "n_head": 4, "hidden_size": SIDE},
        ),
        (
            "falcon-old",
            {"model_type": "RefinedWebModel", "multi_query": False, "n_head": 4, "hidden_size": SIDE},
        ),
        # Nested beside another tower's sizes.
        (
            "persimmon",
            {"model_type": "fuyu", "text_config": {"model_type": "persimmon", **SIXTY_FOUR}}
            | {
                "vision_config": {
                    "model_type": "clip_vision_model",
                    "hidden_size": 32,
                    "num_attention_heads": 2,
                }
            },
        ),
        ("exaone4_5", {"vision_config": {"hidden_size": SIDE, "num_heads": 4, "num_key_value_heads": 2}}),
        # No configuration: the name and the shape suffice.
        ("gpt2", {}),
        ("mpt", {}),
        ("modernbert", {}),
        ("blip", {}),
        ("blip", {"model_type": "no-such-model"}),
    ],
)
def test_a_configuration_with_little_in_it(
    name: str, config: dict[str, Any], saved: Callable[[str], Saved], tmp_path: Path
) -> None:
    original = saved(name)
    (tmp_path / "model.safetensors").symlink_to(original.folder / "model.safetensors")
    (tmp_path / "config.json").write_text("{}")
    rewrite_config(tmp_path, **config)
    assert_cut_as_computed(CASES[name], Saved(tmp_path, original.projected))


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("gpt_neox", {}),
        ("gpt_neox", {"model_type": "no-such-model", **SIXTY_FOUR}),
        ("gpt_neox", {"model_type": "gpt_neox", "hidden_size": SIDE, "num_attention_heads": 7}),
        ("gpt_neox", {"model_type": "gpt_neox", "hidden_size": 32, "num_attention_heads": 4}),
        ("phi3", {}),
        ("phi3", {"model_type": "phi3", "hidden_size": SIDE, "num_attention_heads": 4}),
        ("exaone4_5", {}),
        ("gpt_bigcode-mha", {}),
        # CodeGen2: the same type, another order, its code beside the weights.
        ("codegen", {"model_type": "codegen", "auto_map": {"AutoModel": "modeling_codegen.CodeGenModel"}}),
        # Two towers whose sizes both fit, in different ways.
        (
            "gpt_neox",
            {"text_config": {"model_type": "gpt_neox", **SIXTY_FOUR}}
            | {"vision_config": {"model_type": "gpt_neox", "hidden_size": SIDE, "num_attention_heads": 8}},
        ),
    ],
)
def test_an_unknown_layout_is_whole_and_flagged(
    name: str, config: dict[str, Any], saved: Callable[[str], Saved], tmp_path: Path
) -> None:
    (tmp_path / "model.safetensors").symlink_to(saved(name).folder / "model.safetensors")
    (tmp_path / "config.json").write_text("{}")
    rewrite_config(tmp_path, **config)
    whole = matrices(tmp_path)[CASES[name].tensor]
    assert whole.flags == ("fused",)
    np.testing.assert_array_equal(value(whole), whole.tensor.read())


def test_keys_and_values_of_what_gpt2_attends_to(tmp_path: Path) -> None:
    model = build("GPT2LMHeadModel", "gpt2", **OLD_SIZES, add_cross_attention=True)
    attention = model.transformer.h[1].crossattention
    inputs = {
        "input_ids": torch.zeros(1, SIDE, dtype=torch.long),
        "encoder_hidden_states": torch.eye(SIDE)[None],
    }
    projected = attention_weights(attention, lambda: model(**inputs))
    found = matrices(save(model, tmp_path))
    for part in "kv":
        numbers = value(found[f"transformer.h.1.crossattention.c_attn.weight[{part}]"]).T
        np.testing.assert_allclose(numbers / np.linalg.norm(numbers), projected[part], atol=1e-6)


def test_keys_and_values_of_deepseeks_latent(tmp_path: Path) -> None:
    sizes = {
        "kv_lora_rank": SIDE,
        "q_lora_rank": 24,
        "qk_rope_head_dim": 8,
        "v_head_dim": 12,
        "qk_nope_head_dim": 16,
    }
    model = build(
        "DeepseekV3ForCausalLM",
        "deepseek_v3",
        **SIZES,
        **sizes,
        num_key_value_heads=4,
        first_k_dense_replace=2,
    )
    attention = model.model.layers[1].self_attn
    projected = attention_weights(attention, lambda: text(model, attention), fed=attention.kv_b_proj)
    found = matrices(save(model, tmp_path))
    keys, values = (value(found[f"model.layers.1.self_attn.kv_b_proj.weight[{part}]"]) for part in "kv")
    np.testing.assert_allclose(values / np.linalg.norm(values), projected["v"], atol=1e-6)
    # Each head's key is what the latent gives, 16 rows, then 8 rotary ones that come from elsewhere.
    from_latent = projected["k"].reshape(4, 24, SIDE)[:, :16].reshape(SIDE, SIDE)
    np.testing.assert_allclose(keys / np.linalg.norm(keys), from_latent / np.linalg.norm(from_latent), atol=1e-6)

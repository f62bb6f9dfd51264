"""GGUF files made from transformers' models against the checkpoints that transformers saves of the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.checkpoints.gguf.writing import Type, gguf, write
from tests.checkpoints.gguf.writing_models import (
    HEADS,
    KEY,
    LAYERS,
    LLAMA_SIZES,
    MODELS,
    ONE_HEAD_EACH,
    SIDE,
    VALUE,
    as_is,
    gguf_names,
    latent,
)
from tests.matrices.tiny_models import build, matrices, save, value
from wqscore.checkpoints.gguf.file import read_gguf
from wqscore.checkpoints.local import read_folder
from wqscore.matrices.matrix_rules import MatrixRules
from wqscore.matrices.model_config import ModelConfig
from wqscore.matrices.plan import plan_matrices
from wqscore.matrices.roles import role_of
from wqscore.matrices.weight_matrix import WeightMatrix

pytestmark = pytest.mark.oracle("torch", "transformers")


def spectra(found: list[WeightMatrix]) -> list[tuple[str, tuple[int, ...], list[float]]]:
    """What is scored, without names: each matrix's role, sizes in either order, and singular values."""
    rows = []
    for matrix in found:
        singular = np.linalg.svd(value(matrix), compute_uv=False)
        rows.append((matrix.role, tuple(sorted((matrix.rows, matrix.columns))), singular.tolist()))
    return sorted(rows)


@pytest.mark.parametrize("name", MODELS)
def test_a_gguf_is_scored_as_the_checkpoint_it_was_made_from(name: str, tmp_path: Path) -> None:
    model_class, model_type, sizes, change, settings = MODELS[name]
    model = build(model_class, model_type, **sizes)
    folder = save(model, tmp_path / "hf")
    architecture = "llama" if name == "mixtral" else name.split(",")[0]
    # The converter drops BERT's pooler.
    tensors = gguf_names(model, architecture, change, "pooler" if architecture == "bert" else "")
    file = write(
        tmp_path / "model.gguf",
        tensors,
        architecture,
        block_count=LAYERS,
        embedding_length=SIDE,
        attention__head_count=HEADS,
        **settings,
    )
    config, stored, decodings, refusals = read_gguf(file)
    assert (decodings, refusals) == ([], [])
    outcomes = plan_matrices(stored, ModelConfig(config), MatrixRules())
    found = spectra([o for o in outcomes if isinstance(o, WeightMatrix)])
    expected = spectra([m for n, m in matrices(folder).items() if "pooler" not in n])
    assert [row[:2] for row in found] == [row[:2] for row in expected]
    for (*_, ours), (*_, theirs) in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


@pytest.mark.parametrize("name", ["llama", "gpt2", "bert"])
def test_names_and_configuration_are_the_checkpoints_own(name: str, tmp_path: Path) -> None:
    model_class, model_type, sizes, change, settings = MODELS[name]
    model = build(model_class, model_type, **sizes)
    own_config, own = read_folder(save(model, tmp_path / "hf"))
    file = write(
        tmp_path / "model.gguf",
        gguf_names(model, name, change, "pooler"),
        name,
        block_count=LAYERS,
        embedding_length=SIDE,
        attention__head_count=HEADS,
        **settings,
    )
    config, stored, _, _ = read_gguf(file)
    names = {t.name.removeprefix("transformer.").replace("c_attn", "Wqkv") for t in own if "pooler" not in t.name}
    assert {t.name for t in stored} == names
    theirs, ours = ModelConfig(own_config), ModelConfig(config)
    for key in ("num_attention_heads", "num_key_value_heads", "hidden_size", "vocab_size"):
        assert ours.integer(key) == theirs.integer(key)
    assert ours.model_type == theirs.model_type
    assert config["tie_word_embeddings"] is ("lm_head.weight" not in names)


def test_q8_0_is_the_checkpoint_within_the_quantisation(tmp_path: Path) -> None:
    model = build("LlamaForCausalLM", "llama", **LLAMA_SIZES)
    tensors = gguf_names(model, "llama", as_is, "")
    stored = {
        name: (gguf.quants.quantize(array, Type.Q8_0), Type.Q8_0) if array.ndim == 2 else array
        for name, array in tensors.items()
    }
    _, _, decodings, refusals = read_gguf(write(tmp_path / "model.gguf", stored))
    assert not refusals
    own = {name: weight.numpy() for name, weight in model.state_dict().items() if weight.ndim == 2}
    assert {d.name for d in decodings} == own.keys()
    for decoding in decodings:
        decoded, weight = decoding.decode(*(part.read() for part in decoding.parts)), own[decoding.name]
        # A block's scale is its largest number over 127, kept in half precision: half a step, and 127 roundings.
        blocks = np.abs(weight.reshape(len(weight), -1, 32)).max(axis=2, keepdims=True)
        step = np.broadcast_to(blocks / 127, (*blocks.shape[:2], 32)).reshape(weight.shape)
        assert (np.abs(decoded - weight) <= step * (0.5 + 127 * 2.0**-11)).all()
        # Weyl: no singular value moves further than the error's norm.
        moved = np.linalg.svd(decoded, compute_uv=False) - np.linalg.svd(weight, compute_uv=False)
        assert np.abs(moved).max() <= np.linalg.norm(decoded - weight) < 0.01 * np.linalg.norm(weight)


@pytest.mark.parametrize("quantised", [False, True], ids=["F32", "Q8_0"])
def test_the_halves_of_a_latent_projection(quantised: bool, tmp_path: Path) -> None:
    sizes = {
        **ONE_HEAD_EACH,
        **{"num_key_value_heads": HEADS, "first_k_dense_replace": LAYERS},
        **{"kv_lora_rank": 48, "q_lora_rank": None},
        **{"qk_nope_head_dim": KEY, "qk_rope_head_dim": 8, "v_head_dim": VALUE},
    }
    model = build("DeepseekV2ForCausalLM", "deepseek_v2", **sizes)
    own = matrices(save(model, tmp_path / "hf"))
    tensors: dict[str, Any] = gguf_names(model, "deepseek2", latent, "")
    if quantised:
        for name in [name for name in tensors if "attn_k_b" in name]:
            tensors[name] = gguf.quants.quantize(tensors[name], Type.Q8_0), Type.Q8_0
    file = write(
        tmp_path / "model.gguf",
        tensors,
        "deepseek2",
        embedding_length=SIDE,
        attention__head_count=HEADS,
        attention__head_count_kv=1,
        attention__key_length=48 + 8,
        attention__key_length_mla=KEY + 8,
        attention__value_length_mla=VALUE,
        attention__kv_lora_rank=48,
        rope__dimension_count=8,
    )
    config, stored, decodings, _ = read_gguf(file)
    assert (config["qk_nope_head_dim"], config["v_head_dim"], config["model_type"]) == (KEY, VALUE, "deepseek_v2")
    found = {d.name: d.decode(*(part.read() for part in d.parts)) for d in decodings}
    assert {role_of(name) for name in found} == {"attention.k"}
    found |= {t.name: t.read() for t in stored if t.name.endswith("kv_b_proj.v.weight")}
    assert len(found) == 2 * LAYERS
    for name, weight in found.items():
        projection, label = name.removesuffix(".weight").rsplit(".", 1)
        # Half a step of 4/127, and the same again for the scale's rounding; other rows would be off by 1.
        np.testing.assert_allclose(weight, value(own[f"{projection}.weight[{label}]"]), atol=0.04 * quantised)

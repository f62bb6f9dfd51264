"""Roles and depths against what each tensor is in the model's own module tree."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.matrices.tiny_models import Model, build, plan_folder, save
from tests.oracles import Oracle
from wqscore.matrices import roles
from wqscore.matrices.plan import PlannedTensor
from wqscore.matrices.weight_matrix import WeightMatrix

torch = Oracle("torch")
transformers = Oracle("transformers")

SIDE = 32
DEFAULTS = {"vocab_size": 61, "hidden_size": SIDE, "num_hidden_layers": 2, "num_attention_heads": 4}
DEFAULTS |= {"intermediate_size": 48, "max_position_embeddings": 40, "pad_token_id": 0}
HEADS = {"num_layers": 2, "num_heads": 4}
GROUPED = {**DEFAULTS, "num_key_value_heads": 2, "head_dim": 8}
VISION = {**DEFAULTS, "image_size": 16, "patch_size": 4}
OLD = {"vocab_size": 61, "n_embd": SIDE, "n_layer": 2, "n_head": 4, "n_positions": 40}
SEQUENCE = {"vocab_size": 61, "d_model": SIDE, "pad_token_id": 0, "encoder_layers": 2, "decoder_layers": 2}
SEQUENCE |= {
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48,
}
TOWERS = {"text_config": DEFAULTS, "vision_config": VISION, "projection_dim": 24}
DISTIL = {
    "vocab_size": 61,
    "dim": SIDE,
    "n_layers": 2,
    "n_heads": 4,
    "hidden_dim": 48,
    "max_position_embeddings": 40,
}
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "bert": ("BertForPreTraining", DEFAULTS),
    "roberta": ("RobertaForMaskedLM", DEFAULTS),
    "albert": ("AlbertForPreTraining", {**DEFAULTS, "embedding_size": 16}),
    "distilbert": ("DistilBertForMaskedLM", DISTIL),
    "electra": ("ElectraForMaskedLM", {**DEFAULTS, "embedding_size": 16}),
    "deberta-v2": (
        "DebertaV2ForMaskedLM",
        {**DEFAULTS, "relative_attention": True, "pos_att_type": ["c2p", "p2c"], "share_att_key": False},
    ),
    "gpt2": ("GPT2LMHeadModel", OLD),
    "gpt_neo": ("GPTNeoForCausalLM", {**DEFAULTS, **HEADS, "attention_types": [[["global"], 2]]}),
    "gpt_neox": ("GPTNeoXForCausalLM", DEFAULTS),
    "opt": ("OPTForCausalLM", {**DEFAULTS, "ffn_dim": 48, "word_embed_proj_dim": 16}),
    "bloom": ("BloomForCausalLM", {"vocab_size": 61, "hidden_size": SIDE, "n_layer": 2, "n_head": 4}),
    "falcon": ("FalconForCausalLM", DEFAULTS),
    "llama": ("LlamaForCausalLM", GROUPED),
    "mistral": ("MistralForCausalLM", GROUPED),
    "qwen2": ("Qwen2ForCausalLM", {**DEFAULTS, "num_key_value_heads": 2}),
    "phi3": ("Phi3ForCausalLM", {**DEFAULTS, "num_key_value_heads": 2}),
    "gemma2": ("Gemma2ForCausalLM", GROUPED),
    "mixtral": ("MixtralForCausalLM", {**DEFAULTS, "num_key_value_heads": 2, "num_local_experts": 2}),
    "t5": ("T5ForConditionalGeneration", {"vocab_size": 61, "d_model": SIDE, "d_kv": 8, "d_ff": 48, **HEADS}),
    "bart": ("BartForConditionalGeneration", {**SEQUENCE, "max_position_embeddings": 40}),
    "whisper": (
        "WhisperForConditionalGeneration",
        {**SEQUENCE, "num_mel_bins": 8, "max_source_positions": 40, "max_target_positions": 40},
    ),
    "vit": ("ViTForImageClassification", VISION),
    "clip": ("CLIPModel", TOWERS),
    "modernbert": ("ModernBertForMaskedLM", DEFAULTS),
    "xlm": ("XLMWithLMHeadModel", {"vocab_size": 61, "emb_dim": SIDE, "n_layers": 2, "n_heads": 4, "n_langs": 1}),
    "wav2vec2": (
        "Wav2Vec2ForCTC",
        {**DEFAULTS, "conv_dim": [16, 16], "conv_kernel": [3, 3], "conv_stride": [2, 2], "num_conv_pos_embeddings": 4}
        | {"num_conv_pos_embedding_groups": 2},
    ),
    "convnext": ("ConvNextForImageClassification", {"hidden_sizes": [16, 24], "depths": [2, 2], "num_stages": 2}),
}  # fmt: skip
#: A router sends tokens to experts: it is neither the attention's nor the MLP's.
ROUTERS = frozenset({"MixtralTopKRouter"})


@pytest.fixture(scope="module", params=MODELS)
def planned(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    model_class, sizes = MODELS[request.param]
    model = build(model_class, request.param, **sizes)
    yield model, plan_folder(save(model, tmp_path_factory.mktemp(request.param)))


def modules_by_content(model: Model) -> dict[bytes, str]:
    """Which parameter holds these numbers: names on disk may differ from those in memory, random numbers do not."""
    return {p.detach().numpy().tobytes(): name for name, p in model.named_parameters()}


def scored(model: Model, outcomes: tuple[PlannedTensor, ...]) -> Iterator[tuple[WeightMatrix, str, Any]]:
    """Each matrix that is one parameter of the model, with the parameter's name and the module that owns it."""
    owners = modules_by_content(model)
    for matrix in outcomes:
        if isinstance(matrix, WeightMatrix):
            parameter = owners.get(matrix.tensor.read().tobytes())
            if parameter:
                yield matrix, parameter, model.get_submodule(parameter.rpartition(".")[0])


@pytest.mark.oracle("torch", "transformers")
def test_embeddings_heads_and_convolutions(planned: Any) -> None:
    model, outcomes = planned
    head = model.get_output_embeddings()
    for matrix, parameter, module in scored(model, outcomes):
        if module is head and module.weight is not model.get_input_embeddings().weight:
            assert matrix.role == "head", matrix.name
        elif isinstance(module, torch.nn.Embedding):
            assert matrix.role == "embedding", matrix.name
        elif isinstance(module, torch.nn.Conv1d | torch.nn.Conv2d) and parameter.endswith(".weight"):
            assert matrix.role == "conv", matrix.name


@pytest.mark.oracle("torch", "transformers")
def test_every_matrix_of_a_layer_has_its_role(planned: Any) -> None:
    model, outcomes = planned
    linear = (torch.nn.Linear, transformers.pytorch_utils.Conv1D)
    inside = 0
    for matrix, parameter, module in scored(model, outcomes):
        numbered = any(part.isdigit() for part in parameter.split("."))
        if numbered and isinstance(module, linear) and type(module).__name__ not in ROUTERS:
            assert matrix.role.startswith(("attention.", "mlp.")), (matrix.name, matrix.role)
            inside += 1
    assert inside or model.config.model_type == "convnext"


@pytest.mark.oracle("torch", "transformers")
def test_attention_and_mlp_come_apart(planned: Any) -> None:
    """What an attention module owns is attention's, what an MLP owns is the MLP's, by the class of the owner."""
    model, outcomes = planned
    for matrix, parameter, module in scored(model, outcomes):
        path = parameter.split(".")[:-1]
        owners = [type(model.get_submodule(".".join(path[:depth]))).__name__ for depth in range(len(path), 0, -1)]
        kind = next((name for name in owners if re.search("Attention|MLP|FeedForward", name)), "")
        if kind and isinstance(module, torch.nn.Linear | transformers.pytorch_utils.Conv1D):
            assert matrix.role.startswith("attention." if "Attention" in kind else "mlp."), matrix.name


@pytest.mark.oracle("torch", "transformers")
def test_depth_is_the_index_of_the_layer(planned: Any) -> None:
    model, outcomes = planned
    for matrix, parameter, _ in scored(model, outcomes):
        numbers = [int(part) for part in parameter.split(".") if part.isdigit()]
        assert matrix.depth == (numbers[0] if numbers else None), matrix.name


@pytest.mark.parametrize(
    ("name", "role"),
    [
        # The original Llama, and what others call its parts.
        ("layers.0.attention.wq.weight", "attention.q"),
        ("layers.0.attention.wo.weight", "attention.o"),
        ("layers.0.feed_forward.w1.weight", "mlp.gate"),
        ("layers.0.feed_forward.w3.weight", "mlp.in"),
        ("layers.0.feed_forward.w2.weight", "mlp.out"),
        ("tok_embeddings.weight", "embedding"),
        ("output.weight", "head"),
        # OpenAI's CLIP, timm and diffusers.
        ("visual.transformer.resblocks.3.attn.out_proj.weight", "attention.o"),
        ("visual.transformer.resblocks.3.mlp.c_fc.weight", "mlp.in"),
        ("blocks.3.attn.proj.weight", "attention.o"),
        ("blocks.3.mlp.w12.weight", "other"),
        ("blocks.3.mlp.w3.weight", "mlp.out"),
        ("head.weight", "head"),
        ("head.fc.weight", "head"),
        ("vision_model.head.mlp.fc1.weight", "mlp.in"),
        ("visual.head.proj.weight", "other"),
        # NeoBERT: attention's layers are the block's own, and the MLP's last is w3.
        ("model.transformer_encoder.0.wo.weight", "attention.o"),
        ("model.transformer_encoder.0.ffn.w3.weight", "mlp.out"),
        ("transformer_blocks.0.attn1.to_q.weight", "attention.q"),
        ("transformer_blocks.0.attn1.to_out.0.weight", "attention.o"),
        ("transformer_blocks.0.ff.net.0.proj.weight", "mlp.in"),
        ("transformer_blocks.0.ff.net.2.weight", "mlp.out"),
        # Fine-tuned and quantised layers keep their layer's role.
        ("model.layers.0.self_attn.q_proj.base_layer.weight", "attention.q"),
        ("model.layers.0.self_attn.v_proj.qweight", "attention.v"),
        ("model.layers.0.mlp.experts.down_proj_blocks", "mlp.out"),
        ("model.embed_tokens.weight_packed", "embedding"),
        # Not heads, for they are inside layers; a head nonetheless.
        ("encoder.layers.0.self_attn.output.weight", "attention.o"),
        ("blocks.0.mlp.proj_out.weight", "mlp.out"),
        ("encoder.block.0.layer.1.mlp.router.classifier.weight", "other"),
        ("model.layers.61.shared_head.head.weight", "head"),
        # Linear layers that are called embeddings.
        ("vision_model.embeddings.patch_embedding.weight", "other"),
        ("model.decoder.layers.0.self_attn.gate_proj.weight", "other"),
        ("pooler.dense.weight", "other"),
    ],
)
def test_names_of_other_code(name: str, role: str) -> None:
    assert roles.role_of(name) == role


def test_qwen_names_its_gate_second() -> None:
    names = ("w1", "w2", "c_proj")
    found = [roles.role_of(f"transformer.h.0.mlp.{name}.weight", "qwen") for name in names]
    assert found == ["mlp.in", "mlp.gate", "mlp.out"]


@given(st.text(max_size=200), st.sampled_from([None, "qwen", "bert"]))
def test_any_name_has_a_role(name: str, model_type: str | None) -> None:
    known = {*roles.PART_ROLES.values(), "attention.o", "mlp.out", roles.EMBEDDING, roles.HEAD, roles.OTHER}
    assert roles.role_of(name, model_type) in known
    depth = roles.depth_of(name)
    assert depth is None or np.isfinite(depth)


@pytest.mark.parametrize(
    "name",
    [
        "pos_embed",
        "position_embedding",
        "encoder.positional_encoding",
        "pos_enc",
        "vit.pos",
        "rel_pos",
        "pos_table",
        "transformer.position_encodings.weight",
        "posenc",
        "wpe.weight",
        "relative_position_bias",
    ],
)
def test_positions_under_any_common_name_are_an_embedding(name: str) -> None:
    assert roles.role_of(name) == "embedding"

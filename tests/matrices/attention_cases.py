"""One tiny model for each way of fusing q, k and v, and how to run it on as many tokens as features."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.matrices.tiny_models import Model
from tests.oracles import Oracle

torch = Oracle("torch")

SIDE = 64
SIZES = {"hidden_size": SIDE, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 50}
SIZES |= {"intermediate_size": 96, "pad_token_id": 0}
OLD_SIZES = {"n_embd": SIDE, "n_layer": 2, "n_head": 4, "vocab_size": 50}
VISION = {
    "hidden_size": SIDE,
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "image_size": 32,
    "patch_size": 4,
}


def text(model: Model, attention: Model) -> None:
    """As many tokens as features, all at position 0, where rotary embeddings turn nothing."""
    side = getattr(model.config, "hidden_size", SIDE)
    inputs = {
        "input_ids": torch.arange(side)[None] % 50,
        "position_ids": torch.zeros(1, side, dtype=torch.long),
    }
    accepted = inspect.signature(model.forward).parameters
    model(**{name: tensor for name, tensor in inputs.items() if name in accepted})


def patches(model: Model, attention: Model) -> None:
    attention(torch.zeros(1, SIDE, SIDE))


def grid(model: Model, attention: Model) -> None:
    attention(torch.zeros(1, 8, 8, SIDE))


def unrotated(model: Model, attention: Model) -> None:
    rotation = (torch.ones(SIDE, 16), torch.zeros(SIDE, 16))
    ends = torch.tensor([0, SIDE], dtype=torch.int32)
    attention(torch.zeros(SIDE, SIDE), cu_seqlens=ends, position_embeddings=rotation)


@dataclass(frozen=True)
class Case:
    model_class: str
    model_type: str
    attention: str
    fused: str
    sizes: dict[str, Any] = field(default_factory=lambda: SIZES)
    run: Callable[[Model, Model], None] = text
    transposed: bool = False
    """Whether the layer is a Conv1D, stored as (in, out)."""

    @property
    def tensor(self) -> str:
        return f"{self.attention}.{self.fused}.weight"


NEOX = "gpt_neox.layers.1.attention"
FALCON = "transformer.h.1.self_attention"
BIG = "transformer.h.1.attn"
DBRX_ATTENTION = {"kv_n_heads": 2, "rope_theta": 10000.0, "clip_qkv": 1000}
QWEN_VISION = "models.qwen2_vl.modeling_qwen2_vl.Qwen2VisionTransformerPretrainedModel"
CASES = {
    "gpt2": Case("GPT2LMHeadModel", "gpt2", BIG, "c_attn", OLD_SIZES, transposed=True),
    "openai-gpt": Case("OpenAIGPTModel", "openai-gpt", "h.1.attn", "c_attn", OLD_SIZES, transposed=True),
    "imagegpt": Case("ImageGPTModel", "imagegpt", "h.1.attn", "c_attn", OLD_SIZES, transposed=True),
    "gpt_bigcode": Case("GPTBigCodeForCausalLM", "gpt_bigcode", BIG, "c_attn", OLD_SIZES),
    "gpt_bigcode-12": Case(
        "GPTBigCodeForCausalLM", "gpt_bigcode", BIG, "c_attn", {**OLD_SIZES, "n_embd": 96, "n_head": 12}
    ),
    "gpt_bigcode-mha": Case(
        "GPTBigCodeForCausalLM", "gpt_bigcode", BIG, "c_attn", {**OLD_SIZES, "multi_query": False}
    ),
    "gpt_neox": Case("GPTNeoXForCausalLM", "gpt_neox", NEOX, "query_key_value"),
    "gpt_neox_japanese": Case(
        "GPTNeoXJapaneseForCausalLM",
        "gpt_neox_japanese",
        "gpt_neox_japanese.layers.1.attention",
        "query_key_value",
    ),
    "bloom": Case(
        "BloomForCausalLM",
        "bloom",
        FALCON,
        "query_key_value",
        {**OLD_SIZES, "hidden_size": SIDE, "n_head": 8},
    ),
    "persimmon": Case(
        "PersimmonForCausalLM",
        "persimmon",
        "model.layers.1.self_attn",
        "query_key_value",
        {**SIZES, "qk_layernorm": False},
    ),
    "falcon-grouped": Case(
        "FalconForCausalLM",
        "falcon",
        FALCON,
        "query_key_value",
        {**SIZES, "num_kv_heads": 2, "new_decoder_architecture": True},
    ),
    "falcon-multi-query": Case("FalconForCausalLM", "falcon", FALCON, "query_key_value"),
    "falcon-old": Case(
        "FalconForCausalLM",
        "falcon",
        FALCON,
        "query_key_value",
        {**SIZES, "multi_query": False, "alibi": True},
    ),
    "phi3": Case(
        "Phi3ForCausalLM", "phi3", "model.layers.1.self_attn", "qkv_proj", {**SIZES, "num_key_value_heads": 2}
    ),
    "codegen": Case(
        "CodeGenForCausalLM",
        "codegen",
        BIG,
        "qkv_proj",
        {**OLD_SIZES, "rotary_dim": 8, "n_positions": SIDE, "n_ctx": SIDE},
    ),
    "minimax": Case(
        "MiniMaxForCausalLM",
        "minimax",
        "model.layers.0.self_attn",
        "qkv_proj",
        {**SIZES, "num_key_value_heads": 2, "num_local_experts": 2, "head_dim": 16, "hidden_act": "linear"}
        | {"layer_types": ["linear_attention", "full_attention"]},
    ),
    "mpt": Case(
        "MptForCausalLM",
        "mpt",
        "transformer.blocks.1.attn",
        "Wqkv",
        {"d_model": SIDE, "n_heads": 4, "n_layers": 2, "vocab_size": 50},
    ),
    "dbrx": Case(
        "DbrxForCausalLM",
        "dbrx",
        "transformer.blocks.1.norm_attn_norm.attn",
        "Wqkv",
        {"d_model": SIDE, "n_heads": 4, "n_layers": 2, "vocab_size": 50, "attn_config": DBRX_ATTENTION}
        | {"ffn_config": {"ffn_hidden_size": 48, "moe_num_experts": 2, "moe_top_k": 1}},
    ),
    "modernbert": Case("ModernBertModel", "modernbert", "layers.1.attn", "Wqkv"),
    "deberta": Case(
        "DebertaModel",
        "deberta",
        "encoder.layer.1.attention.self",
        "in_proj",
        {
            **SIZES,
            "relative_attention": True,
            "pos_att_type": ["c2p", "p2c"],
            "max_position_embeddings": SIDE,
        },
    ),
    "jetmoe": Case(
        "JetMoeForCausalLM",
        "jetmoe",
        "model.layers.1.self_attention",
        "kv_proj",
        {"hidden_size": SIDE, "num_hidden_layers": 2, "num_key_value_heads": 2, "kv_channels": 16}
        | {"intermediate_size": 96, "num_local_experts": 4, "num_experts_per_tok": 2, "vocab_size": 50},
    ),
    "blip": Case("BlipVisionModel", "blip_vision_model", "encoder.layers.1.self_attn", "qkv", VISION, patches),
    "timesformer": Case(
        "TimesformerModel", "timesformer", "encoder.layer.1.attention.attention", "qkv", VISION, patches
    ),
    "vitdet": Case("VitDetModel", "vitdet", "encoder.layer.1.attention", "qkv", VISION, grid),
    "sam": Case("SamVisionModel", "sam_vision_model", "vision_encoder.layers.1.attn", "qkv", VISION, grid),
    "qwen2_vl": Case(
        QWEN_VISION,
        "qwen2_vl_vision",
        "blocks.1.attn",
        "qkv",
        {"depth": 2, "embed_dim": SIDE, "num_heads": 4, "hidden_size": 32, "patch_size": 4},
        unrotated,
    ),
    "exaone4_5": Case(
        "Exaone4_5_VisionModel",
        "exaone4_5_vision",
        "blocks.1.attn",
        "qkv",
        {"depth": 2, "hidden_size": SIDE, "num_heads": 4, "num_key_value_heads": 2, "out_hidden_size": 32}
        | {"intermediate_size": 96, "patch_size": 4, "fullatt_block_indexes": [0, 1]},
        unrotated,
    ),
}

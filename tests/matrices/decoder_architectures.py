"""Decoders with fused attention, gates or experts, or with unusual names."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.matrices.architecture import (
    ATTENTION,
    GROUPED,
    LAYER,
    MLP,
    MOE,
    OUT_PROJECTIONS,
    ROUTED,
    ROUTED_EXPERTS,
    SHARED,
    STACKS,
    Architecture,
    named,
    of_attention,
)
from tests.matrices.attention_cases import CASES, DBRX_ATTENTION, OLD_SIZES, SIZES
from tests.matrices.tiny_models import Model
from tests.matrices.unfused import SIDE, attention, experts, gated, split, within
from tests.oracles import Oracle

torch = Oracle("torch")

CONV1D = {"attn.c_proj": "attention.o", "mlp.c_fc": "mlp.in", "mlp.c_proj": "mlp.out"}
FOUR_H = named(mlp_in="dense_h_to_4h", mlp_out="dense_4h_to_h")
LATENT = {
    **MOE,
    "head_dim": 8,
    "num_key_value_heads": 4,
    "kv_lora_rank": SIDE,
    "q_lora_rank": 24,
    "n_group": 1,
    "topk_group": 1,
}
LATENT |= {"qk_rope_head_dim": 8, "qk_nope_head_dim": 16, "v_head_dim": 12, "first_k_dense_replace": 1}
DBRX = {"d_model": SIDE, "n_heads": 4, "n_layers": 2, "vocab_size": 50}
DBRX |= {"attn_config": DBRX_ATTENTION}
DBRX |= {"ffn_config": {"ffn_hidden_size": 48, "moe_num_experts": 4, "moe_top_k": 2}}


BLOCK = r"transformer\.h\.\d+"
FALCON = attention(rf"{BLOCK}\.self_attention", "query_key_value.weight")
FALCON_ROLES = {"self_attention.dense": "attention.o", **FOUR_H}
LATENT_SPLITS = (
    split(rf"{LAYER}\.self_attn", "kv_a_proj_with_mqa.weight", "other", "attention.k", nth=1, run=within),
    split(rf"{LAYER}\.self_attn", "kv_b_proj.weight", "attention.k", "attention.v", nth=2, run=within),
)
LATENT_ROLES = {**ROUTED, **SHARED, **named(attention_q="q_a_proj q_b_proj")}


def sorted_by_expert(module: Model, expert: int) -> Any:
    """Llama 4 gives each expert its own tokens: zeros to all but one."""
    tokens = torch.zeros(4, SIDE, SIDE, dtype=torch.float64)
    tokens[expert] = torch.eye(SIDE)
    return module(tokens.reshape(-1, SIDE))


def less_one(factor: np.ndarray) -> np.ndarray:
    """gpt-oss multiplies with up(x) + 1."""
    return factor - 1


DECODERS: dict[str, Architecture] = {
    "gpt2": Architecture(
        "GPT2LMHeadModel", "gpt2", OLD_SIZES, CONV1D, (attention(rf"{BLOCK}\.attn", "c_attn.weight"),)
    ),
    "gpt_bigcode": Architecture(
        "GPTBigCodeForCausalLM",
        "gpt_bigcode",
        OLD_SIZES,
        CONV1D,
        (attention(rf"{BLOCK}\.attn", "c_attn.weight"),),
    ),
    "gptj": Architecture(
        "GPTJForCausalLM",
        "gptj",
        {**OLD_SIZES, "rotary_dim": 8},
        {**of_attention("attn", *OUT_PROJECTIONS), **named(mlp_in="fc_in", mlp_out="fc_out")},
    ),
    "codegen": Architecture(
        "CodeGenForCausalLM",
        "codegen",
        CASES["codegen"].sizes,
        named(attention_o="attn.out_proj", mlp_in="fc_in", mlp_out="fc_out"),
        (attention(rf"{BLOCK}\.attn", "qkv_proj.weight"),),
    ),
    "gpt_neox": Architecture(
        "GPTNeoXForCausalLM",
        "gpt_neox",
        SIZES,
        {"attention.dense": "attention.o", **FOUR_H},
        (attention(r"gpt_neox\.layers\.\d+\.attention", "query_key_value.weight"),),
    ),
    "bloom": Architecture("BloomForCausalLM", "bloom", {**OLD_SIZES, "hidden_size": SIDE}, FALCON_ROLES, (FALCON,)),
    "falcon": Architecture("FalconForCausalLM", "falcon", SIZES, FALCON_ROLES, (FALCON,)),
    "falcon-grouped": Architecture(
        "FalconForCausalLM",
        "falcon",
        {**SIZES, "num_kv_heads": 2, "new_decoder_architecture": True},
        FALCON_ROLES,
        (FALCON,),
    ),
    "mpt": Architecture(
        "MptForCausalLM",
        "mpt",
        CASES["mpt"].sizes,
        named(attention_o="attn.out_proj", mlp_in="ffn.up_proj", mlp_out="ffn.down_proj"),
        (attention(r"transformer\.blocks\.\d+\.attn", "Wqkv.weight"),),
    ),
    "phi3": Architecture(
        "Phi3ForCausalLM",
        "phi3",
        GROUPED,
        {**ATTENTION, **MLP},
        (
            attention(rf"{LAYER}\.self_attn", "qkv_proj.weight"),
            gated(rf"{LAYER}\.mlp", "gate_up_proj.weight"),
        ),
    ),
    "glm4": Architecture(
        "Glm4ForCausalLM",
        "glm4",
        GROUPED,
        {**ATTENTION, **MLP},
        (gated(rf"{LAYER}\.mlp", "gate_up_proj.weight"),),
    ),
    "dbrx": Architecture(
        "DbrxForCausalLM",
        "dbrx",
        DBRX,
        named(attention_o="attn.out_proj", other="router.layer"),
        (
            attention(r"transformer\.blocks\.\d+\.norm_attn_norm\.attn", "Wqkv.weight"),
            experts(r"transformer\.blocks\.\d+\.ffn\.experts", "mlp.w1", "mlp.v1", "mlp.w2"),
        ),
    ),
    "mixtral": Architecture("MixtralForCausalLM", "mixtral", MOE, ROUTED, (ROUTED_EXPERTS,)),
    "qwen2_moe": Architecture(
        "Qwen2MoeForCausalLM",
        "qwen2_moe",
        {**MOE, "shared_expert_intermediate_size": 40},
        {**ROUTED, **SHARED},
        (ROUTED_EXPERTS,),
    ),
    "qwen3_moe": Architecture("Qwen3MoeForCausalLM", "qwen3_moe", MOE, ROUTED, (ROUTED_EXPERTS,)),
    "olmoe": Architecture("OlmoeForCausalLM", "olmoe", MOE, ROUTED, (ROUTED_EXPERTS,)),
    "deepseek_v2": Architecture(
        "DeepseekV2ForCausalLM",
        "deepseek_v2",
        {**LATENT, "n_shared_experts": 1},
        LATENT_ROLES,
        (*LATENT_SPLITS, experts(r"model\.layers\.1\.mlp\.experts", *STACKS)),
    ),
    "deepseek_v3": Architecture(
        "DeepseekV3ForCausalLM",
        "deepseek_v3",
        LATENT,
        LATENT_ROLES,
        (*LATENT_SPLITS, experts(r"model\.layers\.1\.mlp\.experts", *STACKS)),
    ),
    "gpt_oss": Architecture(
        "GptOssForCausalLM",
        "gpt_oss",
        MOE,
        ROUTED,
        (experts(rf"{LAYER}\.mlp\.experts", *STACKS, up=less_one),),
    ),
    "llama4": Architecture(
        "Llama4ForCausalLM",
        "llama4_text",
        {**MOE, "intermediate_size_mlp": 40, "interleave_moe_layer_step": 2},
        {**ROUTED, **SHARED, **{f"feed_forward.{end}": role for end, role in MLP.items()}},
        (experts(r"model\.layers\.1\.feed_forward\.experts", *STACKS, run=sorted_by_expert),),
    ),
    "granitemoe": Architecture(
        "GraniteMoeForCausalLM",
        "granitemoe",
        MOE,
        ROUTED,
        (experts(rf"{LAYER}\.block_sparse_moe\.experts", *STACKS),),
    ),
}

"""State spaces, linear attention and short convolutions, alone and combined with attention."""

from __future__ import annotations

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
from tests.matrices.attention_cases import unrotated
from tests.matrices.unfused import SIDE, Unfuse, attention, experts, gated, split, within

MAMBA = {"hidden_size": SIDE, "num_hidden_layers": 2, "vocab_size": 50, "state_size": 5}
DELTA = {"linear_num_key_heads": 2, "linear_num_value_heads": 4, "linear_key_head_dim": 8}
DELTA |= {"linear_value_head_dim": 12, "layer_types": ["linear_attention", "full_attention"]}
QWEN_TOWER = {"depth": 2, "hidden_size": SIDE, "num_heads": 4, "intermediate_size": 96, "out_hidden_size": SIDE}
QWEN_TOWER |= {"patch_size": 4, "num_position_embeddings": 16}
MAMBA2_OF_HYBRID = {"mamba_n_heads": 16, "mamba_d_head": 8, "mamba_d_state": 6, "mamba_n_groups": 2}

LINEAR_OUT = {"linear_attn.out_proj": "attention.o"}
QWEN3_5_ROLES = {**ATTENTION, **MLP, **LINEAR_OUT, **named(other="in_proj_a in_proj_b in_proj_z")}
SSM_ROLES = named(other="dt_proj mamba.out_proj mixer.out_proj")


def delta_net(layers: str) -> tuple[Unfuse, ...]:
    """Qwen3.5's linear attention, whose convolution works on each feature by itself, and gated attention."""
    return (
        split(
            rf"{layers}\.0\.linear_attn",
            "in_proj_qkv.weight",
            "attention.q",
            "attention.k",
            "attention.v",
            nth=None,
            then=0,
        ),
        split(rf"{layers}\.1\.self_attn", "q_proj.weight", "attention.q", "other", run=within),
    )


def mamba(mixer: str) -> tuple[Unfuse, ...]:
    return (
        split(mixer, "in_proj.weight", "other", "other"),
        split(mixer, "x_proj.weight", "other", "other", "other", nth=1),
    )


RECURRENT: dict[str, Architecture] = {
    "mamba": Architecture(
        "MambaForCausalLM",
        "mamba",
        {**MAMBA, "time_step_rank": 6},
        SSM_ROLES,
        mamba(r"backbone\.layers\.\d+\.mixer"),
    ),
    "mamba2": Architecture(
        "Mamba2ForCausalLM",
        "mamba2",
        {**MAMBA, "num_heads": 8, "head_dim": 16, "n_groups": 2},
        SSM_ROLES,
        (split(r"backbone\.layers\.\d+\.mixer", "in_proj.weight", *["other"] * 5, then=1),),
    ),
    "granitemoehybrid": Architecture(
        "GraniteMoeHybridForCausalLM",
        "granitemoehybrid",
        {**MOE, **MAMBA2_OF_HYBRID, "shared_intermediate_size": 40, "layer_types": ["mamba", "attention"]},
        {**ROUTED, **SSM_ROLES, "shared_mlp.output_linear": "mlp.out"},
        (
            split(r"model\.layers\.0\.mamba", "in_proj.weight", *["other"] * 5, then=1),
            gated(rf"{LAYER}\.shared_mlp", "input_linear.weight"),
            experts(rf"{LAYER}\.block_sparse_moe\.experts", *STACKS),
        ),
    ),
    "falcon_h1": Architecture(
        "FalconH1ForCausalLM",
        "falcon_h1",
        {**GROUPED, **MAMBA2_OF_HYBRID, "mamba_d_ssm": 128},
        {**ATTENTION, **MLP, "mamba.out_proj": "other"},
        (split(rf"{LAYER}\.mamba", "in_proj.weight", *["other"] * 5, then=1),),
    ),
    "jamba": Architecture(
        "JambaForCausalLM",
        "jamba",
        {**MOE, "attn_layer_period": 2, "attn_layer_offset": 1, "expert_layer_period": 2}
        | {"expert_layer_offset": 1, "mamba_dt_rank": 6, "mamba_d_state": 5},
        {**ROUTED, **SSM_ROLES, **{f"feed_forward.{end}": role for end, role in MLP.items()}},
        (
            *mamba(r"model\.layers\.0\.mamba"),
            experts(r"model\.layers\.1\.feed_forward\.experts", *STACKS),
        ),
    ),
    "qwen3_next": Architecture(
        "Qwen3NextForCausalLM",
        "qwen3_next",
        {**MOE, **DELTA, "shared_expert_intermediate_size": 40},
        {**ROUTED, **SHARED, **LINEAR_OUT},
        (
            split(
                r"model\.layers\.0\.linear_attn",
                "in_proj_qkvz.weight",
                "attention.q",
                "attention.k",
                "attention.v",
                "other",
            ),
            split(r"model\.layers\.0\.linear_attn", "in_proj_ba.weight", "other", "other", nth=1),
            split(r"model\.layers\.1\.self_attn", "q_proj.weight", "attention.q", "other", run=within),
            ROUTED_EXPERTS,
        ),
    ),
    "qwen3_5": Architecture(
        "Qwen3_5ForCausalLM",
        "qwen3_5_text",
        {**GROUPED, **DELTA},
        QWEN3_5_ROLES,
        delta_net(r"model\.layers"),
    ),
    "qwen3_5-vl": Architecture(
        "Qwen3_5ForConditionalGeneration",
        "qwen3_5",
        {"text_config": {**GROUPED, **DELTA}, "vision_config": QWEN_TOWER},
        {**QWEN3_5_ROLES, **named(attention_o="attn.proj", mlp_in="linear_fc1", mlp_out="linear_fc2")},
        (
            *delta_net(r"model\.language_model\.layers"),
            attention(r"model\.visual\.blocks\.\d+\.attn", "qkv.weight", unrotated),
        ),
    ),
    "lfm2": Architecture(
        "Lfm2ForCausalLM",
        "lfm2",
        {**GROUPED, "layer_types": ["conv", "full_attention"], "block_auto_adjust_ff_dim": False},
        {**of_attention("self_attn", *OUT_PROJECTIONS), **named(mlp_gate="w1", mlp_in="w3", mlp_out="w2")}
        | {"conv.out_proj": "other"},
        (split(r"model\.layers\.0\.conv", "in_proj.weight", "other", "other", "other"),),
    ),
    "rwkv": Architecture(
        "RwkvForCausalLM",
        "rwkv",
        {"hidden_size": SIDE, "num_hidden_layers": 2, "vocab_size": 50, "intermediate_size": 96},
        {"attention.key": "attention.k", "attention.value": "attention.v", "attention.output": "attention.o"}
        | {"feed_forward.key": "mlp.in", "feed_forward.value": "mlp.out", "receptance": "other"},
    ),
}

"""One architecture with fused or unusual weights: a small configuration, and how its own code unfuses it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.matrices.attention_cases import SIZES
from tests.matrices.unfused import Unfuse, experts

Roles = dict[str, str]


@dataclass(frozen=True)
class Architecture:
    """One architecture.

    Attributes:
        model_class: transformers' class.
        model_type: its name in configurations.
        sizes: a small configuration.
        roles: what its layers are for that are neither embeddings, convolutions nor the head, by the end of their
            names in the model's code.
        fused: how its own code takes its fused weights apart; none where the model keeps them apart in memory.
        unread: tensors that are not scored, by the last component of their names.
        not_matrices: ends of the names of parameters of two axes that are no matrices.
    """

    model_class: str
    model_type: str
    sizes: dict[str, Any]
    roles: Roles
    fused: tuple[Unfuse, ...] = ()
    unread: tuple[str, ...] = ()
    not_matrices: tuple[str, ...] = ("bias", "A_log")


def named(**ends: str) -> Roles:
    """Ends of names by role: `attention_o="out_proj"`."""
    return {end: role.replace("_", ".") for role, listed in ends.items() for end in listed.split()}


def of_attention(module: str, *layers: str) -> Roles:
    """q, k, v and the output projection of an attention module."""
    return {f"{module}.{layer}": f"attention.{letter}" for letter, layer in zip("qkvo", layers, strict=True)}


PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj")
OUT_PROJECTIONS = ("q_proj", "k_proj", "v_proj", "out_proj")
ATTENTION = of_attention("self_attn", *PROJECTIONS)
MLP = named(mlp_gate="gate_proj", mlp_in="up_proj", mlp_out="down_proj")
FC = named(mlp_in="fc1", mlp_out="fc2")
ROUTED = {**ATTENTION, **named(other="mlp.gate shared_expert_gate router")}
SHARED = {f"{block}.{end}": role for block in ("shared_expert", "shared_experts", "mlp") for end, role in MLP.items()}

GROUPED = {**SIZES, "num_key_value_heads": 2, "head_dim": 16}
MOE = {**GROUPED, "intermediate_size": 48, "moe_intermediate_size": 24, "num_experts_per_tok": 2}
MOE |= dict.fromkeys(("num_experts", "num_local_experts", "n_routed_experts"), 4)

LAYER = r"model\.layers\.\d+"
STACKS = ("gate_up_proj", "down_proj")
ROUTED_EXPERTS = experts(rf"{LAYER}\.mlp\.experts", *STACKS)

"""GGUF tensor names that no converter produces: of old files, unknown ones, and ones that collide."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.checkpoints.gguf.writing import gguf
from wqscore.checkpoints.gguf.names import hugging_face_names
from wqscore.matrices.roles import role_of

ARCHITECTURES = sorted(gguf.MODEL_ARCH_NAMES.values())


def named(name: str, architecture: str = "llama", shape: tuple[int, ...] = (4, 4)) -> str:
    return hugging_face_names({name: shape}, architecture, gguf)[name]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("token_embd.weight", "model.embed_tokens.weight"),
        ("output.weight", "lm_head.weight"),
        ("blk.11.attn_q.weight", "model.layers.11.self_attn.q_proj.weight"),
        ("blk.0.attn_q.bias", "model.layers.0.self_attn.q_proj.bias"),
        ("blk.0.ffn_gate_exps.weight", "model.layers.0.mlp.experts.gate_proj.weight"),
        ("blk.3.ffn_down.7.weight", "model.layers.3.mlp.experts.7.down_proj.weight"),
        ("rope_freqs.weight", "rope_freqs.weight"),
        ("double_blocks.0.img_attn.qkv.weight", "double_blocks.0.img_attn.qkv.weight"),
        ("blk.x.attn_q.weight", "blk.x.attn_q.weight"),
        ("", ""),
    ],
)
@pytest.mark.parametrize("architecture", ["llama", "of next year"])
def test_a_name(name: str, expected: str, architecture: str) -> None:
    assert named(name, architecture) == expected


#: What llama.cpp calls a tensor says what it does, in every architecture.
ROLES = {
    "token_embd": "embedding",
    "output": "head",
    "blk.0.attn_q": "attention.q",
    "blk.0.attn_k": "attention.k",
    "blk.0.attn_v": "attention.v",
    "blk.0.attn_output": "attention.o",
    "blk.0.ffn_gate": "mlp.gate",
    "blk.0.ffn_up": "mlp.in",
    "blk.0.ffn_down": "mlp.out",
    "blk.0.ffn_gate_exps": "mlp.gate",
    "blk.0.ffn_up_exps": "mlp.in",
    "blk.0.ffn_down_exps": "mlp.out",
    "blk.0.ffn_up_shexp": "mlp.in",
    "blk.0.attn_norm": "other",
    "blk.0.ffn_gate_inp": "other",
}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_roles_in_every_architecture(architecture: str) -> None:
    names = hugging_face_names({f"{name}.weight": (4, 4) for name in ROLES}, architecture, gguf)
    assert {name.removesuffix(".weight"): role_of(found) for name, found in names.items()} == ROLES


def test_names_that_fall_together_stay_apart() -> None:
    names = hugging_face_names(
        {"blk.0.attn_q.weight": (4, 4), "model.layers.0.self_attn.q_proj.weight": (4, 4)}, "llama", gguf
    )
    assert names == {name: name for name in names}


def test_gate_and_up_in_one() -> None:
    shapes = {"blk.0.ffn_up.weight": (12, 4), "blk.0.ffn_down.weight": (4, 6), "blk.1.ffn_up.weight": (12, 4)}
    names = hugging_face_names(shapes, "glm4", gguf)
    assert names["blk.0.ffn_up.weight"] == "model.layers.0.mlp.gate_up_proj.weight"
    assert names["blk.1.ffn_up.weight"] == "model.layers.1.mlp.up_proj.weight"


PIECE = st.sampled_from(["blk", "0", "12", "attn_q", "ffn_up", "ffn_gate", "weight", "bias", "enc", "output", "é\n"])


@given(st.lists(st.lists(PIECE, max_size=6).map(".".join) | st.text(), unique=True), st.sampled_from(ARCHITECTURES))
def test_every_tensor_has_a_name_of_its_own(names: list[str], architecture: str) -> None:
    found = hugging_face_names(dict.fromkeys(names, (4, 4)), architecture, gguf)
    assert found.keys() == set(names)
    assert len(set(found.values())) == len(names)

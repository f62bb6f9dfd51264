"""The configuration derived from a GGUF file's metadata, and the metadata that a file must have."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from tests.checkpoints.gguf.writing import Type, random_blocks, write
from wqscore.checkpoints.gguf.config import model_config
from wqscore.checkpoints.gguf.file import read_gguf
from wqscore.errors import CheckpointError


def test_settings_by_their_names_in_config_json() -> None:
    metadata = {
        "general.architecture": "llama",
        "llama.block_count": 32,
        "llama.embedding_length": 4096,
        "llama.feed_forward_length": 14336,
        "llama.attention.head_count": 32,
        "llama.attention.head_count_kv": (8, 8, 8),
        "llama.attention.key_length": 128,
        "llama.expert_count": 8,
        "llama.expert_used_count": 2,
        "gpt2.block_count": 12,
    }
    # Mixtral-8x7B-v0.1's own config.json.
    assert model_config(metadata, {"token_embd.weight": (32000, 4096), "output.weight": (32000, 4096)}) == {
        "model_type": "mixtral",
        "num_hidden_layers": 32,
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "num_local_experts": 8,
        "num_experts_per_tok": 2,
        "vocab_size": 32000,
        "tie_word_embeddings": False,
    }


@pytest.mark.parametrize("heads", [(4, 8), (), 0, -1, 2.5, True, "4", (True, True), (1.5,)])
def test_what_is_no_size_is_left_out(heads: object) -> None:
    config = model_config({"general.architecture": "llama", "llama.attention.head_count": heads}, {})
    assert config == {"model_type": "llama", "tie_word_embeddings": True}


@pytest.mark.parametrize("architecture", [{}, {"general.architecture": 3}])
def test_without_an_architecture(architecture: dict[str, int]) -> None:
    assert model_config(architecture, {}) == {"tie_word_embeddings": True}


def test_the_package_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path / "a.gguf", {"blk.0.attn_q.weight": np.ones((2, 3), dtype=np.float32)})
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(
        CheckpointError, match=r"a\.gguf: reading GGUF needs the gguf package: pip install wqscore\[g"
    ):
        read_gguf(file)


def test_a_convolution_has_its_own_shape_again(tmp_path: Path) -> None:
    weights = np.arange(24, dtype=np.float32).reshape(6, 4)
    _, (tensor,), _, _ = read_gguf(write(tmp_path / "a.gguf", {"blk.0.ssm_conv1d.weight": weights}, "mamba"))
    np.testing.assert_array_equal(tensor.read(), weights[:, None])


def test_a_stack_of_experts_is_decoded_as_one(tmp_path: Path) -> None:
    blocks = random_blocks(Type.Q4_0, (3, 5, 64))
    file = write(tmp_path / "a.gguf", {"blk.0.ffn_up_exps.weight": (blocks, Type.Q4_0)}, expert_count=3)
    config, _, (decoding,), _ = read_gguf(file)
    assert config["num_local_experts"] == 3
    assert (decoding.name, decoding.shape) == ("model.layers.0.mlp.experts.up_proj.weight", (3, 5, 64))

"""Blocks of transformers' models: neurons without an effect are found, and the narrower model computes the same."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import wqscore
from tests.oracles import Oracle
from wqscore.checkpoints.opening import open_checkpoint
from wqscore.refs.callers import as_ref
from wqscore.studies.width.blocks import Block
from wqscore.studies.width.chain import blocks_of
from wqscore.studies.width.width import model_of

torch = Oracle("torch")
transformers = Oracle("transformers")

SIZES = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "vocab_size": 60,
}
N_SIZES = {"n_embd": 16, "n_layer": 2, "n_head": 2, "vocab_size": 60}
GROUPED = {**SIZES, "num_key_value_heads": 1}
IMAGES = {"image_size": 16, "patch_size": 4}
T5 = {"d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 2, "num_heads": 2, "vocab_size": 60}
BART = {"d_model": 16, "encoder_layers": 2, "decoder_layers": 2, "encoder_ffn_dim": 24, "decoder_ffn_dim": 28}
BART |= {"encoder_attention_heads": 2, "decoder_attention_heads": 2, "vocab_size": 60}
EXPERTS = {"num_experts": 3, "num_experts_per_tok": 2, "moe_intermediate_size": 12, "decoder_sparse_step": 1}
#: The configuration of each, and the widths of its blocks.
MODELS: dict[str, tuple[str, dict[str, Any], set[int]]] = {
    "distilbert": ("distilbert", {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 24, "vocab_size": 60}, {24}),
    "gptj": ("gptj", {**N_SIZES, "rotary_dim": 4}, {64}),
    "gpt_bigcode": ("gpt_bigcode", N_SIZES, {64}),
    "falcon": ("falcon", {**SIZES, "ffn_hidden_size": 40}, {40}),
    "gemma": ("gemma", {**GROUPED, "head_dim": 8}, {24}),
    "mixtral": ("mixtral", {**GROUPED, "num_local_experts": 3}, {24}),
    "qwen2_moe": ("qwen2_moe", {**GROUPED, **EXPERTS, "shared_expert_intermediate_size": 20}, {12, 20}),
    "t5": ("t5", {**T5, "feed_forward_proj": "relu"}, {24}),
    "t5 gated": ("t5", {**T5, "feed_forward_proj": "gated-gelu"}, {24}),
    "bart": ("bart", BART, {24, 28}),
    "modernbert": ("modernbert", {**SIZES, "pad_token_id": 0}, {24}),
    "mobilebert": ("mobilebert", {**SIZES, "embedding_size": 8, "intra_bottleneck_size": 8}, {24}),
    "vit": ("vit", {**SIZES, **IMAGES}, {24}),
    "albert": ("albert", {**SIZES, "embedding_size": 8}, {24}),
}


def saved(folder: Path, kind: str, sizes: dict[str, Any]) -> Path:
    """A model of random weights, biases included."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    made = transformers.AutoModel.from_config(transformers.AutoConfig.for_model(kind, **sizes))
    for parameter in made.parameters():
        parameter.data += torch.from_numpy(rng.normal(0, 0.1, tuple(parameter.shape)).astype("f4"))
    made.save_pretrained(folder)
    return folder


def silence(folder: Path, blocks: list[Block]) -> None:
    """Set a third of the outgoing weights of each block to 0."""
    rng = np.random.default_rng(1)
    tensors = {name: np.array(values) for name, values in load_file(folder / "model.safetensors").items()}
    for block in blocks:
        name = block.out.matrix.name.partition("[")[0]
        item = re.search(r"\[(\d+)", block.out.matrix.name)
        values = tensors[name][int(item[1])] if item else tensors[name]
        dead = rng.choice(block.stored, block.stored // 3, replace=False)
        np.moveaxis(values, block.out.axis, 0)[dead] = 0
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


def outputs(folder: Path) -> np.ndarray:
    model = transformers.AutoModel.from_pretrained(folder).eval()
    tokens = torch.arange(2, 42).reshape(4, 10)
    inputs: dict[str, Any] = {"input_ids": tokens}
    if model.config.is_encoder_decoder:
        inputs["decoder_input_ids"] = tokens
    if "pixel_values" in model.main_input_name:
        inputs = {"pixel_values": torch.linspace(-1, 1, 768).reshape(1, 3, 16, 16)}
    with torch.no_grad():
        found: np.ndarray = model(**inputs).last_hidden_state.numpy()
    return found


@pytest.mark.oracle("torch", "transformers")
@pytest.mark.parametrize("name", MODELS)
def test_neurons_without_an_effect_go_and_the_outputs_stay(tmp_path: Path, name: str) -> None:
    kind, sizes, widths = MODELS[name]
    folder = saved(tmp_path / "a", kind, sizes)
    model = model_of(open_checkpoint(as_ref(str(folder))))
    found, _ = blocks_of(model, list(model.tensors.values()))
    blocks = [each for each in found if isinstance(each, Block)]
    assert len(blocks) == len(found)
    assert {each.stored for each in blocks} == widths
    silence(folder, blocks)
    measured = wqscore.width(folder, write=tmp_path / "b")
    assert {(block.stored, block.effective[0], block.silent) for block in measured.blocks} == {
        (width, width - width // 3, width // 3) for width in widths
    }
    assert np.abs(outputs(folder) - outputs(tmp_path / "b")).max() < 1e-5
    assert not any(head.reason for head in measured.heads)


@pytest.mark.oracle("torch", "transformers")
@pytest.mark.parametrize(
    ("kind", "sizes", "reason"),
    [
        ("convnextv2", {"hidden_sizes": [8, 16, 16, 16], "depths": [1, 1, 1, 1]}, "acts on its neurons too"),
        ("segformer", {"hidden_sizes": [8, 16, 16, 16], "depths": [1, 1, 1, 1]}, "acts on its neurons too"),
        ("ctrl", {**N_SIZES, "dff": 24}, "the configuration names no activation"),
        ("rwkv", {"hidden_size": 16, "num_hidden_layers": 2, "vocab_size": 60}, "names no activation"),
    ],
)
def test_blocks_that_are_more_than_two_layers_are_rows_with_the_reason(
    tmp_path: Path, kind: str, sizes: dict[str, Any], reason: str
) -> None:
    found = wqscore.width(saved(tmp_path / "a", kind, sizes), write=tmp_path / "b")
    assert found.blocks
    assert all(reason in block.reason for block in found.blocks)
    assert found.narrowed is None
    assert not (tmp_path / "b").exists()

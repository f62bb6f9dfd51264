"""Translate a GGUF file's metadata back to a `config.json`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wqscore.checkpoints.adapters.stored_scales import GGUF_ALPHA
from wqscore.checkpoints.gguf.fields import GgufValue
from wqscore.checkpoints.gguf.header import ALIGNMENT

ARCHITECTURE = "general.architecture"
TYPE = "general.type"
#: Keys of `config.json` by what follows the architecture's name in GGUF.
_SETTINGS = {
    "block_count": "num_hidden_layers",
    "embedding_length": "hidden_size",
    "feed_forward_length": "intermediate_size",
    "attention.head_count": "num_attention_heads",
    "attention.head_count_kv": "num_key_value_heads",
    "attention.key_length": "head_dim",
    "expert_count": "num_local_experts",
    "expert_used_count": "num_experts_per_tok",
}
_LATENT = (
    *("attention.kv_lora_rank", "attention.key_length_mla", "attention.value_length_mla"),
    *("attention.value_length", "rope.dimension_count"),
)
#: Keys of `config.json` for gated delta nets; llama.cpp names their sizes as those of state spaces.
_LINEAR_ATTENTION = {
    "ssm.group_count": "linear_num_key_heads",
    "ssm.time_step_rank": "linear_num_value_heads",
    "ssm.state_size": "linear_key_head_dim",
}
_INNER_SIZE = "ssm.inner_size"
_DELTA_NETS = frozenset({"qwen3next", "qwen35", "qwen35moe"})
_SUFFIXES = frozenset((*_SETTINGS, *_LATENT, *_LINEAR_ATTENTION, _INNER_SIZE))
#: transformers' names that differ by more than hyphens. gpt-oss keeps llama.cpp's, since GGUF stores the gate and
#: up projections of its experts separately, and transformers interleaves them.
_MODEL_TYPES = {
    "gptneox": "gpt_neox",
    "starcoder": "gpt_bigcode",
    "command-r": "cohere",
    "phi2": "phi",
    "modern-bert": "modernbert",
    "qwen2moe": "qwen2_moe",
    "qwen3moe": "qwen3_moe",
    "qwen3next": "qwen3_next",
    "qwen35": "qwen3_5",
    "qwen35moe": "qwen3_5_moe",
    "deepseek2": "deepseek_v2",
    "t5encoder": "t5",
    "gpt-oss": "gpt-oss",
}


def needed(key: str) -> bool:
    """Whether a metadata key is needed: for the configuration, the alignment, or the parts of a split file.

    Example:
        >>> needed("llama.attention.head_count"), needed("tokenizer.ggml.tokens")
        (True, False)
    """
    is_named = key in {ARCHITECTURE, TYPE, ALIGNMENT, GGUF_ALPHA} or key.startswith("split.")
    return is_named or key.partition(".")[2] in _SUFFIXES


def architecture(metadata: Mapping[str, GgufValue]) -> str:
    """llama.cpp's name of the architecture, `""` if the file gives none."""
    name = metadata.get(ARCHITECTURE)
    return name if isinstance(name, str) else ""


def model_config(metadata: Mapping[str, GgufValue], shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    """Translate the metadata to the keys of `config.json`.

    Args:
        metadata: the header's metadata.
        shapes: the tensors' shapes by llama.cpp's names; give the vocabulary size and whether the head is tied.

    Returns:
        The settings in the file, except those that differ between layers.
    """
    model = architecture(metadata)
    config: dict[str, Any] = {"tie_word_embeddings": "output.weight" not in shapes}
    if model:
        config["model_type"] = _model_type(model, metadata)
    if (alpha := metadata.get(GGUF_ALPHA)) is not None:
        config[GGUF_ALPHA] = alpha
    for suffix, name in _SETTINGS.items():
        if (size := _size(metadata.get(f"{model}.{suffix}"))) is not None:
            config[name] = size
    if f"{model}.attention.kv_lora_rank" in metadata:
        config.pop("head_dim", None)
        config |= _latent_attention(model, metadata)
    if model in _DELTA_NETS:
        config |= _linear_attention(model, metadata)
    embedding = shapes.get("token_embd.weight", ())
    if len(embedding) == 2:
        config["vocab_size"] = embedding[0]
    return config


def _model_type(model: str, metadata: Mapping[str, GgufValue]) -> str:
    if model == "llama" and _size(metadata.get("llama.expert_count")):
        return "mixtral"
    return _MODEL_TYPES.get(model, model.replace("-", "_"))


def _latent_attention(model: str, metadata: Mapping[str, GgufValue]) -> dict[str, int]:
    """Sizes of a head's key without its rotary part, and of its value; older files lack the `_mla` keys."""

    def size(*names: str) -> int | None:
        sizes = (_size(metadata.get(f"{model}.{name}")) for name in names)
        return next((size for size in sizes if size), None)

    key = size("attention.key_length_mla", "attention.key_length")
    value = size("attention.value_length_mla", "attention.value_length")
    rotary, latent = size("rope.dimension_count"), size("attention.kv_lora_rank")
    sizes = {"kv_lora_rank": latent, "qk_rope_head_dim": rotary}
    if key is not None and value is not None and rotary is not None:
        sizes |= {"qk_nope_head_dim": key - rotary, "v_head_dim": value}
    return {name: number for name, number in sizes.items() if number is not None}


def _linear_attention(model: str, metadata: Mapping[str, GgufValue]) -> dict[str, int]:
    """Heads of a gated delta net and their sizes."""
    found = {name: _size(metadata.get(f"{model}.{suffix}")) for suffix, name in _LINEAR_ATTENTION.items()}
    inner, heads = _size(metadata.get(f"{model}.{_INNER_SIZE}")), found["linear_num_value_heads"]
    if inner and heads and inner % heads == 0:
        found["linear_value_head_dim"] = inner // heads
    return {name: number for name, number in found.items() if number is not None}


def _size(value: GgufValue | None) -> int | None:
    """A positive whole number, or the one that all layers of a list share but those with 0; `None` otherwise."""
    if isinstance(value, tuple):
        sizes = set(value) - {0}
        value = sizes.pop() if len(sizes) == 1 else None
    return value if type(value) is int and value > 0 else None

"""Cut the fused projections of attention: q, k and v, latents, and the gate of attention's output.

Each layout follows the model's own code: the modelling files of transformers and of the published checkpoints,
and torch's `MultiheadAttention`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from wqscore.matrices import linear_attention
from wqscore.matrices.config_names import HEAD_SIZE, HEADS, HIDDEN, KEY_VALUE_HEADS
from wqscore.matrices.gated import Shape
from wqscore.matrices.model_config import ModelConfig
from wqscore.matrices.parts import Fused, Part, contiguous, equal, group_by_group
from wqscore.matrices.weight_matrix import Cut


@dataclass(frozen=True)
class _Heads:
    """Sizes of an attention layer."""

    query: int
    key_value: int
    size: int


def attention_parts(name: str, shape: Shape, config: ModelConfig, shapes: Mapping[str, Shape]) -> Fused | None:
    """Cut a two-dimensional tensor if it is a fused projection of attention.

    Args:
        name: the tensor's name.
        shape: its shape, two sizes.
        config: the model's configuration, for head counts; of several nested ones, those whose sizes fit are used.
        shapes: the shapes of all tensors by name, since some layouts depend on neighbouring tensors.

    Returns:
        The parts, empty if the layout is unknown; `None` for any other matrix.
    """
    if name.endswith(".q_proj.weight"):
        return _gated_queries(shape, name.removesuffix("q_proj.weight"), config, shapes)
    match = _ATTENTION.search(name)
    if match is None:
        return None
    layout = _head_by_head if _NEOBERT.search(name) else _LAYOUTS.get(match[1])
    if name.endswith(".conv.weight"):
        # EfficientViT's convolutions hold q, k and v of each head together, and don't say of how many heads.
        return Fused(())
    # LeViT and similar models, which store `attention_biases`, order parts of unequal sizes head by head: not cut.
    if layout is None or f"{name[: match.start(1)]}attention_biases" in shapes:
        return Fused(())
    return Fused(_agreed(layout(shape, part) for part in config.parts))


def _gated_queries(shape: Shape, block: str, config: ModelConfig, shapes: Mapping[str, Shape]) -> Fused | None:
    """Each head's query, then its output gate, if the projection has two rows for each input of the output layer."""
    out, keys, values = (shapes.get(f"{block}{name}_proj.weight") for name in "okv")
    if out is None or len(out) != 2 or shape[0] != 2 * out[1] or keys is None or keys != values:
        return None
    norm = shapes.get(f"{block}q_norm.weight")
    if norm is None or len(norm) != 1 or not norm[0] or not _GATED_QUERIES & config.model_types:
        return Fused(())
    size = norm[0]
    return Fused(group_by_group(shape, out[1] // size, (("q", size), ("z", size))))


def _agreed(cuts: Iterable[tuple[Part, ...]]) -> tuple[Part, ...]:
    """The one cut that the configurations allow; empty if they allow none or several."""
    found: list[tuple[Part, ...]] = []
    for cut in cuts:
        if cut and cut not in found:
            found.append(cut)
    return found[0] if len(found) == 1 else ()


def _grouped(shape: Shape, heads: _Heads) -> tuple[Part, ...]:
    """Cut rows ordered by key–value head: the group's query heads, then its key head, then its value head."""
    if heads.query % heads.key_value:
        return ()
    per_group = heads.query // heads.key_value
    return group_by_group(
        shape, heads.key_value, (("q", per_group * heads.size), ("k", heads.size), ("v", heads.size))
    )


def _heads(shape: Shape, config: ModelConfig, key_value: int | None = None) -> _Heads | None:
    """The sizes of the attention layer; `None` if the configuration's hidden size is not the tensor's."""
    query, hidden = config.integer(*HEADS), config.integer(*HIDDEN)
    size = config.integer(*HEAD_SIZE) or (hidden // query if hidden and query else None)
    if query is None or not size or hidden != shape[1]:
        return None
    return _Heads(query, key_value or query, size)


def _head_by_head(shape: Shape, config: ModelConfig) -> tuple[Part, ...]:
    """As many key–value heads as query heads; each head's q, k and v together."""
    heads = _heads(shape, config)
    return _grouped(shape, heads) if heads else ()


def _group_by_group(shape: Shape, config: ModelConfig) -> tuple[Part, ...]:
    heads = _heads(shape, config, config.integer(*KEY_VALUE_HEADS))
    return _grouped(shape, heads) if heads else ()


def _by_sizes(shape: Shape, config: ModelConfig, key_value: int | None) -> tuple[Part, ...]:
    """All of q, then all of k, then all of v, with this number of key–value heads."""
    heads = _heads(shape, config, key_value)
    if heads is None:
        return ()
    narrow = heads.key_value * heads.size
    return contiguous(shape, 0, {"q": heads.query * heads.size, "k": narrow, "v": narrow})


def _one_key_value_head(shape: Shape, config: ModelConfig) -> tuple[Part, ...]:
    return _by_sizes(shape, config, 1)


def _in_three(shape: Shape, config: ModelConfig) -> tuple[Part, ...]:
    """All of q, then all of k, then all of v, of equal length unless the configuration says otherwise."""
    is_equal = shape[0] % (3 * shape[1]) == 0
    cut: tuple[Part, ...] = ()
    if not is_equal or any(name in config.file for name in KEY_VALUE_HEADS):
        grouped = config.nested("attn_config").integer(*KEY_VALUE_HEADS) or config.integer(*KEY_VALUE_HEADS)
        cut = _by_sizes(shape, config, grouped)
    return cut or (equal(shape, 0, "qkv") if is_equal else ())


def _thirds(shape: Shape, config: ModelConfig) -> tuple[Part, ...]:
    return equal(shape, 0, "qkv")


def _key_and_value(shape: Shape, config: ModelConfig) -> tuple[Part, ...]:
    return equal(shape, 0, "kv")


def _c_attn(shape: Shape, config: ModelConfig) -> tuple[Part, ...]:
    """GPT-2's Conv1D is (in, out); Qwen-1 and GPT-BigCode use the same name and store (out, in)."""
    rows, columns = shape
    if columns in {2 * rows, 3 * rows}:
        return equal(shape, 1, "qkv" if columns == 3 * rows else "kv")
    if config.model_type == "qwen":
        return equal(shape, 0, "qkv")
    if config.model_type == "gpt_bigcode":
        return (_one_key_value_head if config.flag("multi_query") else _head_by_head)(shape, config)
    return ()


def _falcon(shape: Shape, config: ModelConfig) -> tuple[Part, ...]:
    if config.model_type == "RefinedWeb" or config.flag("new_decoder_architecture"):
        return _group_by_group(shape, config)
    return (_one_key_value_head if config.flag("multi_query") else _head_by_head)(shape, config)


def _chatglm(shape: Shape, config: ModelConfig) -> tuple[Part, ...]:
    """ChatGLM2 and later share key–value heads among groups and store q, k, v; ChatGLM goes head by head."""
    return (_in_three if config.flag("multi_query_attention") else _head_by_head)(shape, config)


def _codegen(shape: Shape, config: ModelConfig) -> tuple[Part, ...]:
    """Four blocks, one for each TPU core used in training, each of q, then v, then k.

    CodeGen2 has the same type but eight blocks; its configuration names its own code (`auto_map`).
    """
    if shape[0] % 12 or "auto_map" in config.file:
        return ()
    view, every = (4, 3, shape[0] // 12, shape[1]), slice(None)
    order = ((0, "q"), (2, "k"), (1, "v"))
    return tuple(Part(label, Cut(view, (every, i)), shape[0] // 3, shape[1]) for i, label in order)


def _latent_key_value(shape: Shape, config: ModelConfig) -> tuple[Part, ...]:
    """DeepSeek's up-projection of the latent: each head's key without its rotary part, then its value."""
    heads, key, value = (config.integer(name) for name in ("num_attention_heads", "qk_nope_head_dim", "v_head_dim"))
    if not heads or not key or not value:
        return ()
    return group_by_group(shape, heads, (("k", key), ("v", value)))


def _latent_and_rotary_key(shape: Shape, config: ModelConfig) -> tuple[Part, ...]:
    """DeepSeek's down-projection to the latent of keys and values, then the rotary key that all heads share."""
    latent, key = config.integer("kv_lora_rank"), config.integer("qk_rope_head_dim")
    return contiguous(shape, 0, {"kv": latent, "k": key}) if latent and key else ()


_Layout = Callable[[Shape, ModelConfig], tuple[Part, ...]]


def _by_type(*layouts: tuple[str, _Layout]) -> _Layout:
    """A layout that depends on the model type, for a name that several models use; other types are not cut."""
    of_type = {model_type: layout for types, layout in layouts for model_type in types.split()}

    def layout(shape: Shape, config: ModelConfig) -> tuple[Part, ...]:
        chosen = of_type.get(config.model_type or "")
        return chosen(shape, config) if chosen else ()

    return layout


_LAYOUTS: dict[str, _Layout] = {
    "c_attn": _c_attn,
    "query_key_value": _by_type(
        ("gpt_neox gpt_neox_japanese bloom persimmon", _head_by_head),
        ("falcon RefinedWeb RefinedWebModel", _falcon),
        ("chatglm", _chatglm),
    ),
    "qkv_proj": _by_type(
        ("phi3 phi3_v phi4mm phi4_multimodal gte new", _in_three), ("minimax", _head_by_head), ("codegen", _codegen)
    ),
    "wqkv": _by_type(
        ("internlm2 internlmxcomposer2", _group_by_group), ("moonvit kimi_vl kimi_k25 kimi_k25_vision", _in_three)
    ),
    **dict.fromkeys(("Wqkv", "qkv", "att_proj"), _in_three),
    **dict.fromkeys(("in_proj_weight", "W_pack", "qkv_net", "qkv_linear", "to_qkv"), _thirds),
    "to_kv": _key_and_value,
    "kv": lambda shape, config: _key_and_value(shape, config) if shape[0] == 2 * shape[1] else (),
    "kv_proj": _by_type(("jetmoe", _key_and_value)),
    "kv_b_proj": _latent_key_value,
    "kv_a_proj_with_mqa": _latent_and_rotary_key,
    "in_proj_qkv": linear_attention.in_three,
    "in_proj_qkvz": linear_attention.key_head_by_key_head,
    "in_proj_ba": linear_attention.decays,
    "self.in_proj": _head_by_head,
}
#: The names above, and every other name of a tensor with at least two of q, k and v.
_ATTENTION = re.compile(
    r"(?:^|\.)(in_proj_weight$|(?:c_attn|query_key_value|att_proj|W_pack|(?:self|attn)\.in_proj|to_kv"
    r"|kv(?:_b)?(?:_proj)?|kv_a_proj_with_mqa|in_proj_ba|qk|\w{0,40}qkv\w{0,40})(?=(?:\.(?:linear|conv))?(?:\.base_layer)?\.weight$))"
)
#: NeoBERT and models built on it: the projection is a direct child of the block.
_NEOBERT = re.compile(r"(^|\.)transformer_encoder\.[0-9]{1,9}\.qkv\.weight$")
#: Model types with each head's gate after its query; elsewhere it may come before the query, or after all queries.
_GATED_QUERIES = frozenset(
    {"qwen3_next", "qwen3_5_text", "qwen3_5_moe_text", "qwen4_exp_text", "qwen3_5", "qwen3_5_moe", "qwen4_exp"}
)

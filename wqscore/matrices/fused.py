"""Tensors that hold several matrices: fused q/k/v, gate/up, and the gates of recurrent cells.

A fused matrix has another spectrum than its parts, so the same network would get another score by how it is
stored. Each layout below is that of the model's own code (the modelling files of transformers and of the published
checkpoints, and torch's `MultiheadAttention`, `LSTM` and `GRU`); where it can't be told, nothing is cut and the
matrix is flagged.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from wqscore.matrices.gated import Shape, gate_and_up
from wqscore.matrices.model_config import HEAD_SIZE, HEADS, HIDDEN, KEY_VALUE_HEADS, ModelConfig
from wqscore.matrices.weight_matrix import Cut


@dataclass(frozen=True)
class Part:
    """One matrix of a fused tensor: its label (`q`, `gate`, …), its cut and its size."""

    label: str
    cut: Cut
    rows: int
    columns: int


@dataclass(frozen=True)
class Fused:
    """A fused tensor: its parts, or none when the layout can't be told."""

    parts: tuple[Part, ...]


@dataclass(frozen=True)
class _Heads:
    """Sizes of an attention layer."""

    query: int
    key_value: int
    size: int


def fused_parts(name: str, shape: Shape, config: ModelConfig, shapes: Mapping[str, Shape]) -> Fused | None:
    """Tell whether a two-dimensional tensor is a fused one, and cut it.

    Args:
        name: the tensor's name.
        shape: its shape, two sizes.
        config: the model's configuration, for head counts; of several nested ones, those whose sizes fit decide.
        shapes: the shapes of all tensors by name, for what only a neighbour tells.

    Returns:
        `None` for an ordinary matrix.
    """
    if "weight_" in name and (cell := _CELL.fullmatch(name)):
        return _recurrent(shape, cell, shapes)
    if halves := gate_and_up(name, shape, config, shapes):
        size = shape[halves.axis] // 2
        return Fused(_contiguous(shape, halves.axis, dict.fromkeys(halves.labels, size)))
    match = _ATTENTION.search(name)
    if match is None:
        return None
    layout = _LAYOUTS.get(match[1])
    # LeViT and its kin (biases by offset beside the projection) order theirs head by head, in unequal sizes.
    if layout is None or f"{name[: match.start(1)]}attention_biases" in shapes:
        return Fused(())
    return Fused(_agreed(layout(shape, part) for part in config.parts))


def _agreed(cuts: Iterable[tuple[Part, ...]]) -> tuple[Part, ...]:
    """The one way to cut that the configurations leave; none when they leave none or several."""
    found: list[tuple[Part, ...]] = []
    for cut in cuts:
        if cut and cut not in found:
            found.append(cut)
    return found[0] if len(found) == 1 else ()


def _contiguous(shape: Shape, axis: int, sizes: Mapping[str, int]) -> tuple[Part, ...]:
    """Parts one after the other along an axis; none when the sizes don't fill it."""
    if sum(sizes.values()) != shape[axis]:
        return ()
    parts, start = [], 0
    for label, size in sizes.items():
        taken = slice(start, start + size)
        index = (taken,) if axis == 0 else (slice(None), taken)
        rows, columns = (size, shape[1]) if axis == 0 else (shape[0], size)
        parts.append(Part(label, Cut(shape, index), rows, columns))
        start += size
    return tuple(parts)


def _equal(shape: Shape, axis: int, labels: str | tuple[str, ...]) -> tuple[Part, ...]:
    return _contiguous(shape, axis, dict.fromkeys(labels, shape[axis] // len(labels)))


def _grouped(shape: Shape, heads: _Heads) -> tuple[Part, ...]:
    """Rows ordered by key–value head: the group's query heads, then its key head, then its value head."""
    per_group, every = heads.query // heads.key_value, slice(None)
    seen = (heads.key_value, per_group + 2, heads.size, shape[1])
    if heads.query % heads.key_value or heads.key_value * (per_group + 2) * heads.size != shape[0]:
        return ()
    return (
        Part("q", Cut(seen, (every, slice(0, per_group))), heads.query * heads.size, shape[1]),
        Part("k", Cut(seen, (every, per_group)), heads.key_value * heads.size, shape[1]),
        Part("v", Cut(seen, (every, per_group + 1)), heads.key_value * heads.size, shape[1]),
    )


def _heads(shape: Shape, config: ModelConfig, key_value: int | None = None) -> _Heads | None:
    """The sizes of the attention that reads this tensor's columns; `None` if this configuration is not its own."""
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
    """All of q, then all of k, then all of v, with so many key–value heads."""
    heads = _heads(shape, config, key_value)
    if heads is None:
        return ()
    narrow = heads.key_value * heads.size
    return _contiguous(shape, 0, {"q": heads.query * heads.size, "k": narrow, "v": narrow})


def _one_key_value_head(shape: Shape, config: ModelConfig) -> tuple[Part, ...]:
    return _by_sizes(shape, config, 1)


def _in_three(shape: Shape, config: ModelConfig) -> tuple[Part, ...]:
    """All of q, then all of k, then all of v, as long as each other unless the configuration says otherwise."""
    alike = shape[0] % (3 * shape[1]) == 0
    cut: tuple[Part, ...] = ()
    if not alike or any(name in config.file for name in KEY_VALUE_HEADS):
        grouped = config.nested("attn_config").integer(*KEY_VALUE_HEADS) or config.integer(*KEY_VALUE_HEADS)
        cut = _by_sizes(shape, config, grouped)
    return cut or (_equal(shape, 0, "qkv") if alike else ())


def _thirds(shape: Shape, config: ModelConfig) -> tuple[Part, ...]:
    return _equal(shape, 0, "qkv")


def _key_and_value(shape: Shape, config: ModelConfig) -> tuple[Part, ...]:
    return _equal(shape, 0, "kv")


def _c_attn(shape: Shape, config: ModelConfig) -> tuple[Part, ...]:
    """GPT-2's Conv1D is (in, out); Qwen-1 and GPT-BigCode keep the name and store (out, in)."""
    rows, columns = shape
    if columns in {2 * rows, 3 * rows}:
        return _equal(shape, 1, "qkv" if columns == 3 * rows else "kv")
    if config.model_type == "qwen":
        return _equal(shape, 0, "qkv")
    if config.model_type == "gpt_bigcode":
        return (_one_key_value_head if config.flag("multi_query") else _head_by_head)(shape, config)
    return ()


def _falcon(shape: Shape, config: ModelConfig) -> tuple[Part, ...]:
    if config.model_type == "RefinedWeb" or config.flag("new_decoder_architecture"):
        return _group_by_group(shape, config)
    return (_one_key_value_head if config.flag("multi_query") else _head_by_head)(shape, config)


def _chatglm(shape: Shape, config: ModelConfig) -> tuple[Part, ...]:
    """ChatGLM2 and later share key–value heads among groups and store q, k, v; the first goes head by head."""
    return (_in_three if config.flag("multi_query_attention") else _head_by_head)(shape, config)


def _codegen(shape: Shape, config: ModelConfig) -> tuple[Part, ...]:
    """Four blocks, one for each of the TPU cores it was trained on, each holding q, then v, then k.

    CodeGen2 has the type too, eight blocks, and its own code beside the weights.
    """
    if shape[0] % 12 or "auto_map" in config.file:
        return ()
    seen, every = (4, 3, shape[0] // 12, shape[1]), slice(None)
    order = ((0, "q"), (2, "k"), (1, "v"))
    return tuple(Part(label, Cut(seen, (every, i)), shape[0] // 3, shape[1]) for i, label in order)


def _latent_key_value(shape: Shape, config: ModelConfig) -> tuple[Part, ...]:
    """DeepSeek's up-projection of the latent: each head's key without its rotary part, then its value."""
    heads, key, value = (config.integer(name) for name in ("num_attention_heads", "qk_nope_head_dim", "v_head_dim"))
    if not heads or not key or not value or heads * (key + value) != shape[0]:
        return ()
    seen, every = (heads, key + value, shape[1]), slice(None)
    return (
        Part("k", Cut(seen, (every, slice(0, key))), heads * key, shape[1]),
        Part("v", Cut(seen, (every, slice(key, None))), heads * value, shape[1]),
    )


_Layout = Callable[[Shape, ModelConfig], tuple[Part, ...]]


def _by_type(*layouts: tuple[str, _Layout]) -> _Layout:
    """A layout that differs between the models that share a name; a model not listed is not cut."""
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
        ("phi3 phi3_v phi4mm phi4_multimodal gte new", _in_three),
        ("minimax", _head_by_head),
        ("codegen", _codegen),
    ),
    "wqkv": _by_type(
        ("internlm2 internlmxcomposer2", _group_by_group),
        ("moonvit kimi_vl kimi_k25 kimi_k25_vision", _in_three),
    ),
    "Wqkv": _in_three,
    "qkv": _in_three,
    "att_proj": _in_three,
    "in_proj_weight": _thirds,
    "W_pack": _thirds,
    "qkv_net": _thirds,
    "qkv_linear": _thirds,
    "to_qkv": _thirds,
    "to_kv": _key_and_value,
    "kv": lambda shape, config: _key_and_value(shape, config) if shape[0] == 2 * shape[1] else (),
    "kv_proj": _by_type(("jetmoe", _key_and_value)),
    "kv_b_proj": _latent_key_value,
    "self.in_proj": _head_by_head,
}
#: The names above, and every other that says it holds two of q, k and v.
_ATTENTION = re.compile(
    r"(?:^|\.)(in_proj_weight$|(?:c_attn|query_key_value|att_proj|W_pack|(?:self|attn)\.in_proj|to_kv"
    r"|kv(?:_b)?(?:_proj)?|qk|\w{0,40}qkv\w{0,40})(?=(?:\.linear)?(?:\.base_layer)?\.weight$))"
)

_CELL = re.compile(r"(?P<stem>(?s:.*\.)?)weight_[ih]h(?P<layer>(_l\d+(_reverse)?)?)")
#: Gates in torch's order, by how many times the hidden size the matrices are long.
_GATES = {4: ("i", "f", "g", "o"), 3: ("r", "z", "n")}


def _recurrent(shape: Shape, cell: re.Match[str], shapes: Mapping[str, Shape]) -> Fused | None:
    """An LSTM's or GRU's gates; the hidden size is that of the recurrent matrix, or of the LSTM's projection."""
    beside = f"{cell['stem']}weight_h"
    hidden = shapes.get(f"{beside}r{cell['layer']}") or shapes.get(f"{beside}h{cell['layer']}")
    if hidden is None or len(hidden) != 2 or not hidden[1] or shape[0] % hidden[1]:
        return Fused(())
    gates = shape[0] // hidden[1]
    return None if gates == 1 else Fused(_equal(shape, 0, _GATES[gates]) if gates in _GATES else ())

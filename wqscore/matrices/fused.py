"""Tensors that hold several matrices: fused q/k/v, gate/up, and the gates of recurrent cells.

A fused matrix has another spectrum than its parts, so the same network would get another score by how it is
stored. Each layout below is that of the model's own code (the modelling files of transformers, and torch's
`MultiheadAttention`, `LSTM` and `GRU`); where it can't be told, nothing is cut and the matrix is flagged.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from wqscore.matrices.model_config import ModelConfig
from wqscore.matrices.weight_matrix import Cut

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Part:
    """One matrix of a fused tensor: its label (`q`, `gate`, …), its cut and its size."""

    label: str
    cut: Cut
    rows: int
    columns: int


@dataclass(frozen=True)
class Heads:
    """Sizes of an attention layer."""

    query: int
    key_value: int
    size: int


@dataclass(frozen=True)
class Fused:
    """A fused tensor: its parts, or none when the layout can't be told."""

    parts: tuple[Part, ...]


def fused_parts(name: str, shape: Shape, config: ModelConfig, shapes: Mapping[str, Shape]) -> Fused | None:
    """Tell whether a two-dimensional tensor is a fused one, and cut it.

    Args:
        name: the tensor's name.
        shape: its shape, two sizes.
        config: the model's configuration, for head counts.
        shapes: the shapes of all tensors by name, for cells whose gates are counted on a neighbour.

    Returns:
        `None` for an ordinary matrix.
    """
    for pattern, layout in _LAYOUTS:
        if pattern.search(name):
            return Fused(layout(name, shape, config))
    if cell := _CELL.search(name):
        return _recurrent(name, shape, cell, shapes)
    return None


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
    if shape[axis] % len(labels):
        return ()
    return _contiguous(shape, axis, dict.fromkeys(labels, shape[axis] // len(labels)))


def _grouped(shape: Shape, heads: Heads) -> tuple[Part, ...]:
    """Rows ordered by key–value head: the group's query heads, then its key head, then its value head."""
    if heads.query % heads.key_value:
        return ()
    per_group = heads.query // heads.key_value
    seen = (heads.key_value, per_group + 2, heads.size, shape[1])
    if heads.key_value * (per_group + 2) * heads.size != shape[0]:
        return ()
    every = slice(None)
    return (
        Part("q", Cut(seen, (every, slice(0, per_group))), heads.query * heads.size, shape[1]),
        Part("k", Cut(seen, (every, per_group)), heads.key_value * heads.size, shape[1]),
        Part("v", Cut(seen, (every, per_group + 1)), heads.key_value * heads.size, shape[1]),
    )


def _first_that_fits(
    config: ModelConfig, cut: Callable[[Heads], tuple[Part, ...]], one_key_value_head: bool = False
) -> tuple[Part, ...]:
    """Cut by the sizes of the configuration, or of the first nested one whose sizes fill the tensor."""
    for part in config.parts:
        if (heads := _heads(part, one_key_value_head)) and (parts := cut(heads)):
            return parts
    return ()


def _heads(config: ModelConfig, one_key_value_head: bool) -> Heads | None:
    query = config.integer("num_attention_heads", "n_head", "n_heads", "num_heads")
    hidden = config.integer("hidden_size", "n_embd", "d_model")
    size = config.integer("head_dim", "kv_channels") or (hidden // query if hidden and query else None)
    if query is None or size is None:
        return None
    if one_key_value_head:
        return Heads(query, 1, size)
    nested = config.file.get("attn_config")
    grouped = nested.get("kv_n_heads") if isinstance(nested, dict) else None
    key_value = grouped or config.integer("num_key_value_heads", "num_kv_heads", "n_head_kv", "multi_query_group_num")
    return Heads(query, key_value or query, size)


def _split_heads(shape: Shape, config: ModelConfig) -> tuple[Part, ...]:
    """All of q, then all of k, then all of v; fewer key–value heads where the configuration says so."""

    def cut(heads: Heads) -> tuple[Part, ...]:
        key_value = heads.key_value * heads.size
        return _contiguous(shape, 0, {"q": heads.query * heads.size, "k": key_value, "v": key_value})

    return _first_that_fits(config, cut) or (_equal(shape, 0, "qkv") if shape[0] == 3 * shape[1] else ())


def _c_attn(name: str, shape: Shape, config: ModelConfig) -> tuple[Part, ...]:
    """GPT-2's Conv1D is (in, out); Qwen-1 and GPT-BigCode keep the name and store (out, in)."""
    rows, columns = shape
    if columns == 3 * rows:
        return _equal(shape, 1, "qkv")
    if columns == 2 * rows and "crossattention" in name:
        return _equal(shape, 1, "kv")
    if config.model_type == "gpt_bigcode":
        if not config.flag("multi_query"):
            return _first_that_fits(config, lambda heads: _grouped(shape, Heads(heads.query, heads.query, heads.size)))
        return _first_that_fits(config, lambda heads: _one_key_value(shape, heads), one_key_value_head=True)
    return _equal(shape, 0, "qkv") if rows == 3 * columns else _split_heads(shape, config)


def _one_key_value(shape: Shape, heads: Heads) -> tuple[Part, ...]:
    """Multi-query attention: every query head, then the one key head, then the one value head."""
    return _contiguous(shape, 0, {"q": heads.query * heads.size, "k": heads.size, "v": heads.size})


_BY_HEAD = frozenset({"gpt_neox", "gpt_neox_japanese", "bloom", "persimmon"})
_FALCON = frozenset({"falcon", "RefinedWeb", "RefinedWebModel"})


def _query_key_value(name: str, shape: Shape, config: ModelConfig) -> tuple[Part, ...]:
    if config.model_type in _BY_HEAD:
        return _first_that_fits(config, lambda heads: _grouped(shape, Heads(heads.query, heads.query, heads.size)))
    if config.model_type in _FALCON:
        if config.model_type == "RefinedWeb" or config.flag("new_decoder_architecture"):
            return _first_that_fits(config, lambda heads: _grouped(shape, heads))
        if config.model_type == "RefinedWebModel" or config.flag("multi_query"):
            return _first_that_fits(config, lambda heads: _one_key_value(shape, heads), one_key_value_head=True)
        return _first_that_fits(config, lambda heads: _grouped(shape, Heads(heads.query, heads.query, heads.size)))
    if config.model_type == "chatglm":
        return _split_heads(shape, config)
    return ()


def _qkv_proj(name: str, shape: Shape, config: ModelConfig) -> tuple[Part, ...]:
    if config.model_type == "codegen":
        # Four blocks, one for each of the TPU cores it was trained on, each holding q, then v, then k.
        if shape[0] % 12:
            return ()
        seen, every = (4, 3, shape[0] // 12, shape[1]), slice(None)
        return tuple(
            Part(label, Cut(seen, (every, i)), shape[0] // 3, shape[1]) for i, label in ((0, "q"), (2, "k"), (1, "v"))
        )
    return _split_heads(shape, config)


def _internlm_wqkv(name: str, shape: Shape, config: ModelConfig) -> tuple[Part, ...]:
    return _first_that_fits(config, lambda heads: _grouped(shape, heads))


def _thirds(name: str, shape: Shape, config: ModelConfig) -> tuple[Part, ...]:
    return _equal(shape, 0, "qkv")


def _deberta_in_proj(name: str, shape: Shape, config: ModelConfig) -> tuple[Part, ...]:
    return _first_that_fits(config, lambda heads: _grouped(shape, Heads(heads.query, heads.query, heads.size)))


def _gate_up(name: str, shape: Shape, config: ModelConfig) -> tuple[Part, ...]:
    return _equal(shape, 0, ("gate", "up"))


_Layout = Callable[[str, Shape, ModelConfig], tuple[Part, ...]]

_LAYOUTS: tuple[tuple[re.Pattern[str], _Layout], ...] = (
    (re.compile(r"(^|\.)c_attn\.weight$"), _c_attn),
    (re.compile(r"(^|\.)query_key_value\.weight$"), _query_key_value),
    (re.compile(r"(^|\.)qkv_proj\.weight$"), _qkv_proj),
    (re.compile(r"(^|\.)Wqkv\.weight$"), lambda name, shape, config: _split_heads(shape, config)),
    (re.compile(r"(^|\.)wqkv\.weight$"), _internlm_wqkv),
    (re.compile(r"(^|\.)(qkv|W_pack|qkv_net)\.weight$|(^|\.)in_proj_weight$"), _thirds),
    (re.compile(r"attention\.self\.in_proj\.weight$"), _deberta_in_proj),
    (re.compile(r"(^|\.)(gate_up_proj|w12|Wi)\.weight$"), _gate_up),
)

_CELL = re.compile(r"(?P<stem>^|.*\.)weight_(?P<side>[ih]h)_(?P<layer>l\d+(_reverse)?)$")
#: Gates in torch's order, by how many times the hidden size the recurrent matrix is long.
_GATES = {4: ("i", "f", "g", "o"), 3: ("r", "z", "n")}


def _recurrent(name: str, shape: Shape, cell: re.Match[str], shapes: Mapping[str, Shape]) -> Fused | None:
    recurrent = shapes.get(f"{cell['stem']}weight_hh_{cell['layer']}")
    if recurrent is None or len(recurrent) != 2 or recurrent[0] != shape[0] or recurrent[0] % recurrent[1]:
        return Fused(())
    gates = recurrent[0] // recurrent[1]
    return None if gates == 1 else Fused(_equal(shape, 0, _GATES[gates]) if gates in _GATES else ())

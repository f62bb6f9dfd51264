"""Cut the fused projections of gated delta nets, the linear attention of Qwen3-Next and its successors."""

from __future__ import annotations

from dataclasses import dataclass

from wqscore.matrices.config_names import HIDDEN
from wqscore.matrices.gated import Shape
from wqscore.matrices.model_config import ModelConfig
from wqscore.matrices.parts import Part, contiguous, group_by_group


@dataclass(frozen=True)
class _Heads:
    """Sizes of a gated delta net: the number of key heads, value heads per key head, and the sizes of both."""

    groups: int
    per_group: int
    key: int
    value: int


def _heads(shape: Shape, config: ModelConfig) -> _Heads | None:
    """The sizes of the linear attention layer; `None` if the configuration doesn't give them or doesn't fit."""
    names = ("num_key_heads", "num_value_heads", "key_head_dim", "value_head_dim")
    keys, values, key, value = (config.integer(f"linear_{name}") for name in names)
    if not keys or not values or not key or not value or values % keys or config.integer(*HIDDEN) != shape[1]:
        return None
    return _Heads(keys, values // keys, key, value)


def in_three(shape: Shape, config: ModelConfig) -> tuple[Part, ...]:
    """All queries, then all keys, then all values."""
    heads = _heads(shape, config)
    if heads is None:
        return ()
    keys, values = heads.groups * heads.key, heads.groups * heads.per_group * heads.value
    return contiguous(shape, 0, {"q": keys, "k": keys, "v": values})


def key_head_by_key_head(shape: Shape, config: ModelConfig) -> tuple[Part, ...]:
    """Each key head's query and key, then the values and output gates of the value heads that share it."""
    heads = _heads(shape, config)
    if heads is None:
        return ()
    values = heads.per_group * heads.value
    return group_by_group(shape, heads.groups, (("q", heads.key), ("k", heads.key), ("v", values), ("z", values)))


def decays(shape: Shape, config: ModelConfig) -> tuple[Part, ...]:
    """Each key head's learning rates, then its decays, one of each for every value head that shares it."""
    heads = _heads(shape, config)
    return group_by_group(shape, heads.groups, (("b", heads.per_group), ("a", heads.per_group))) if heads else ()

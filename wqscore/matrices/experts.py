"""Stacks of experts: one 3-D tensor (experts, …, …) holds a matrix for each expert, or two where gate and up are fused."""

from __future__ import annotations

import re

from wqscore.checkpoints.tensor import TensorRef
from wqscore.matrices import roles
from wqscore.matrices.model_config import ModelConfig
from wqscore.matrices.weight_matrix import Cut, WeightMatrix

_STACK = re.compile(r"(experts|block_sparse_moe|(^|\.)moe)\.")
_GATE_UP = re.compile(r"(^|\.)(gate_up_proj|input_linear)(\.weight)?$")
#: gpt-oss stores gate and up columns in turn; the others store all of gate, then all of up.
_INTERLEAVED = frozenset({"gpt_oss"})


def is_expert_stack(tensor: TensorRef) -> bool:
    """Whether a tensor is a 3-D stack of experts, by its name."""
    return len(tensor.shape) == 3 and _STACK.search(tensor.name) is not None


def expert_matrices(tensor: TensorRef, config: ModelConfig, split_fused: bool) -> list[WeightMatrix]:
    """Cut a stack into one matrix for each expert, and each of those into gate and up where both are in it."""
    experts, first, second = tensor.shape
    axis = _doubled_axis(tensor, config) if _GATE_UP.search(tensor.name) else None
    if axis is None or not split_fused:
        role = roles.role_of(tensor.name)
        flags = ("fused",) if _GATE_UP.search(tensor.name) and split_fused else ()
        return [
            _expert(tensor, f"[{e}]", Cut(tensor.shape, (e,)), role, first, second, flags) for e in range(experts)
        ]
    half = tensor.shape[axis] // 2
    rows, columns = (half, second) if axis == 1 else (first, half)
    interleaved = config.model_type in _INTERLEAVED
    gate, up = (slice(0, None, 2), slice(1, None, 2)) if interleaved else (slice(0, half), slice(half, None))
    return [
        _expert(
            tensor,
            f"[{e}.{label}]",
            Cut(tensor.shape, (e, taken) if axis == 1 else (e, slice(None), taken)),
            roles.PART_ROLES[label],
            rows,
            columns,
        )
        for e in range(experts)
        for label, taken in (("gate", gate), ("up", up))
    ]


def _expert(
    tensor: TensorRef, part: str, cut: Cut, role: str, rows: int, columns: int, flags: tuple[str, ...] = ()
) -> WeightMatrix:
    depth = roles.depth_of(tensor.name)
    return WeightMatrix(f"{tensor.name}{part}", tensor, cut, role, rows, columns, depth=depth, flags=flags)


def _doubled_axis(tensor: TensorRef, config: ModelConfig) -> int | None:
    """Which axis holds gate and up: the one that is not the hidden size; `None` if that can't be told."""
    for part in config.parts:
        hidden = part.integer("hidden_size")
        if hidden in tensor.shape[1:] and tensor.shape[1] != tensor.shape[2]:
            axis = 2 if tensor.shape[1] == hidden else 1
            return axis if tensor.shape[axis] % 2 == 0 else None
    return None

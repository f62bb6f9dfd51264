"""Cut stacks of experts, tensors with a matrix for each expert, or two if gate and up are fused."""

from __future__ import annotations

import re
from collections.abc import Mapping

from wqscore.checkpoints.tensor import Tensor
from wqscore.matrices import roles
from wqscore.matrices.gated import Halves, Shape, gate_and_up
from wqscore.matrices.model_config import ModelConfig
from wqscore.matrices.parts import matrix_of
from wqscore.matrices.weight_matrix import Cut, Index, WeightMatrix

_STACK = re.compile(r"(experts|block_sparse_moe|(^|\.)moe)\.|(^|\.)(input_linear|output_linear)\.weight$")
#: DBRX stacks its experts along the rows of a two-dimensional tensor.
_ROWS_OF_EXPERTS = re.compile(r"(^|\.)experts\.mlp\.(w1|v1|w2)$")
#: More than any published model has; a stack of more is not cut.
_MAX_EXPERTS = 10_000


def stack_shape(tensor: Tensor, config: ModelConfig) -> Shape | None:
    """The shape (experts, …, …) of a stack of experts, by its name; `None` for any other tensor."""
    if len(tensor.shape) == 2 and _ROWS_OF_EXPERTS.search(tensor.name):
        experts = config.nested("ffn_config").integer("moe_num_experts")
        if experts is None or tensor.shape[0] % experts:
            return None
        stack: Shape = (experts, tensor.shape[0] // experts, tensor.shape[1])
    elif len(tensor.shape) == 3 and _STACK.search(tensor.name):
        stack = tensor.shape
    else:
        return None
    return stack if stack[0] <= _MAX_EXPERTS else None


def expert_matrices(
    tensor: Tensor, stack: Shape, role: str, config: ModelConfig, shapes: Mapping[str, Shape], split_fused: bool
) -> list[WeightMatrix]:
    """Cut a stack into one matrix for each expert, or two if an expert's matrix holds gate and up.

    Args:
        tensor: the stored tensor.
        stack: its shape, viewed as (experts, rows, columns).
        role: the role of the experts' matrices.
        config: the model's configuration.
        shapes: the shapes of all tensors by name.
        split_fused: whether gate and up become two matrices.
    """
    experts, rows, columns = stack
    halves = gate_and_up(tensor.name, stack, config, shapes) if split_fused else None
    if halves is None or not halves.parts:
        flags = ("fused",) if halves is not None else ()
        return [
            matrix_of(tensor, f"[{e}]", Cut(stack, (e,)), role, rows, columns, flags=flags) for e in range(experts)
        ]
    return [half for expert in range(experts) for half in _halves(tensor, stack, expert, halves)]


def _halves(tensor: Tensor, stack: Shape, expert: int, halves: Halves) -> list[WeightMatrix]:
    first, second = stack[1:]
    rows, columns = (first // 2, second) if halves.axis == 1 else (first, second // 2)
    matrices = []
    for label, taken in zip(halves.labels, halves.parts, strict=True):
        index: Index = (expert, taken) if halves.axis == 1 else (expert, slice(None), taken)
        part, role = f"[{expert}.{label}]", roles.PART_ROLES[label]
        matrices.append(matrix_of(tensor, part, Cut(stack, index), role, rows, columns))
    return matrices

"""Cut tensors whose layer the checkpoint's graph gives: gates of recurrent layers, and stacks of linear layers."""

from __future__ import annotations

from wqscore.checkpoints.layer_use import LayerUse
from wqscore.checkpoints.tensor import Tensor
from wqscore.matrices import roles
from wqscore.matrices.parts import matrix_of
from wqscore.matrices.weight_matrix import Cut, WeightMatrix

#: More than any published model has; a stack of more is not cut.
_MAX_ITEMS = 10_000


def recurrent_matrices(tensor: Tensor, use: LayerUse, split_fused: bool) -> list[WeightMatrix]:
    """Cut the weights of a recurrent layer, (directions, gates · hidden, in), into a matrix for each gate.

    Args:
        tensor: the weights.
        use: the layer, with the gates' names in stored order.
        split_fused: whether each gate is a matrix, or all of a direction are one.
    """
    directions, rows, columns = tensor.shape
    gates = use.parts if split_fused else ("",)
    size = rows // len(gates)
    if directions > 2 or size < 1:
        return []
    matrices = []
    for direction in range(directions):
        for index, gate in enumerate(gates):
            cut = Cut(tensor.shape, (direction, slice(index * size, (index + 1) * size)))
            label = ".".join(filter(None, ("reverse" if direction else "", gate)))
            matrices.append(matrix_of(tensor, f"[{label}]" if label else "", cut, roles.OTHER, size, columns))
    return matrices


def stacked_matrices(tensor: Tensor, role: str) -> list[WeightMatrix]:
    """Cut a stack of linear layers, (items, out, in), into its items."""
    items, rows, columns = tensor.shape
    if items > _MAX_ITEMS:
        return []
    return [matrix_of(tensor, f"[{i}]", Cut(tensor.shape, (i,)), role, rows, columns) for i in range(items)]


def equal_parts(tensor: Tensor, use: LayerUse) -> list[WeightMatrix]:
    """Cut a matrix whose rows are equal parts, such as an attention's query, key and value."""
    rows, columns = tensor.shape
    size = rows // len(use.parts)
    matrices = []
    for index, label in enumerate(use.parts):
        cut = Cut(tensor.shape, (slice(index * size, (index + 1) * size),))
        role = roles.PART_ROLES.get(label, roles.OTHER)
        matrices.append(matrix_of(tensor, f"[{label}]", cut, role, size, columns))
    return matrices

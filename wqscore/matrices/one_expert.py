"""Matrices cut from the smallest tensors that can be read by themselves: of a stack of experts, from one expert's."""

from __future__ import annotations

from dataclasses import replace

from wqscore.checkpoints.stack_items import item_of
from wqscore.matrices.weight_matrix import Cut, WeightMatrix


def alone(matrix: WeightMatrix) -> WeightMatrix:
    """The same matrix, of a tensor that has nothing of other experts; as it is where there is none.

    Experts are as if each had a tensor of its own: memory holds one, not hundreds, and one that is the same as
    another is tied to it.
    """
    cut = matrix.cut
    if not cut.index or not isinstance(cut.index[0], int) or len(cut.shape) < 3:
        return matrix
    tensor = item_of(matrix.tensor, cut.shape, cut.index[0])
    return (
        matrix if tensor is None else replace(matrix, tensor=tensor, cut=Cut(cut.shape[1:], cut.index[1:], cut.axes))
    )

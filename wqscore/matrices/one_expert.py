"""Cut an expert's matrix from that expert's bytes instead of the whole stack."""

from __future__ import annotations

from dataclasses import replace

from wqscore.checkpoints.stack_items import item_of
from wqscore.matrices.weight_matrix import Cut, WeightMatrix


def isolate_expert(matrix: WeightMatrix) -> WeightMatrix:
    """Make an expert's matrix read only that expert's bytes; return any other matrix unchanged.

    Each expert then behaves like a separate tensor: memory holds one instead of hundreds, and an expert identical to
    another is tied to it.
    """
    cut = matrix.cut
    if not cut.index or not isinstance(cut.index[0], int) or len(cut.shape) < 3:
        return matrix
    tensor = item_of(matrix.tensor, cut.shape, cut.index[0])
    return (
        matrix if tensor is None else replace(matrix, tensor=tensor, cut=Cut(cut.shape[1:], cut.index[1:], cut.axes))
    )

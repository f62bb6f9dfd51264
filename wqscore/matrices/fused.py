"""Tensors that hold several matrices: fused q/k/v, gate/up, and the projections of recurrent layers.

A fused matrix has another spectrum than its parts, so the same network would get another score by how it is
stored. Each layout is that of the model's own code (the modelling files of transformers and of the published
checkpoints, and torch's own modules); where it can't be told, nothing is cut and the matrix is flagged.
"""

from __future__ import annotations

from collections.abc import Mapping

from wqscore.matrices.attention import attention_parts
from wqscore.matrices.gated import Shape, gate_and_up
from wqscore.matrices.model_config import ModelConfig
from wqscore.matrices.parts import Fused, contiguous
from wqscore.matrices.recurrent import recurrent_parts


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
    if recurrent := recurrent_parts(name, shape, shapes):
        return recurrent
    if halves := gate_and_up(name, shape, config, shapes):
        size = shape[halves.axis] // 2
        return Fused(contiguous(shape, halves.axis, dict.fromkeys(halves.labels, size)))
    return attention_parts(name, shape, config, shapes)

"""Cut tensors that hold several matrices: fused q/k/v, gate/up, and the projections of recurrent layers.

A fused matrix has a different spectrum from its parts, so without cutting, a network's score would depend on how it
is stored. Each layout follows the model's own code (the modelling files of transformers and of the published
checkpoints, and torch's own modules); a matrix whose layout is unknown is not cut but flagged.
"""

from __future__ import annotations

from collections.abc import Mapping

from wqscore.matrices.attention import attention_parts
from wqscore.matrices.gated import Shape, gate_and_up
from wqscore.matrices.model_config import ModelConfig
from wqscore.matrices.parallel_blocks import parallel_parts
from wqscore.matrices.parts import Fused, contiguous
from wqscore.matrices.recurrent import recurrent_parts


def fused_parts(name: str, shape: Shape, config: ModelConfig, shapes: Mapping[str, Shape]) -> Fused | None:
    """Cut a two-dimensional tensor if it is fused.

    Args:
        name: the tensor's name.
        shape: its shape, two sizes.
        config: the model's configuration, for head counts; of several nested ones, those whose sizes fit are used.
        shapes: the shapes of all tensors by name, since some layouts depend on neighbouring tensors.

    Returns:
        The parts, empty if the layout is unknown; `None` for an ordinary matrix.
    """
    if recurrent := recurrent_parts(name, shape, shapes):
        return recurrent
    if halves := gate_and_up(name, shape, config, shapes):
        size = shape[halves.axis] // 2
        return Fused(contiguous(shape, halves.axis, dict.fromkeys(halves.labels, size)))
    return parallel_parts(name, shape, shapes) or attention_parts(name, shape, config, shapes)

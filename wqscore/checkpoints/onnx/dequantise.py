"""Decode weights that an ONNX graph stores as integer codes: `DequantizeLinear`, w = (code − zero point) · scale.

Definition: https://onnx.ai/onnx/operators/onnx__DequantizeLinear.html, versions 10 to 23.
"""

from __future__ import annotations

import numpy as np

Shape = tuple[int, ...]


def scale_fits(shape: Shape, scale: Shape, axis: int, block: int) -> bool:
    """Whether scales of a shape are one per tensor, per index of the axis, or per block along the axis.

    Args:
        shape: the codes' shape.
        scale: the scales' shape.
        axis: the dimension along which scales differ, from 0 on.
        block: codes that share a scale along the axis, 0 if there are no blocks.
    """
    if scale in ((), (1,)) and block == 0:
        return True
    if not 0 <= axis < len(shape):
        return False
    if block == 0:
        return scale == (shape[axis],)
    blocks = -(-shape[axis] // block) if block > 0 else -1
    return scale == (*shape[:axis], blocks, *shape[axis + 1 :])


def dequantise(
    codes: np.ndarray, scale: np.ndarray, zero: np.ndarray | None = None, *, axis: int, block: int
) -> np.ndarray:
    """Compute weights from codes.

    Args:
        codes: integers, of the weight's shape.
        scale: scales, of a shape that `scale_fits` accepts.
        zero: zero points of the scale's shape, or `None` for 0.
        axis: the dimension along which scales differ.
        block: codes that share a scale along the axis, 0 if there are no blocks.

    Returns:
        float32 of the codes' shape.

    Example:
        >>> dequantise(np.array([[1, 2], [3, 4]], np.int8), np.array([1.0, 0.5]), axis=0, block=0)
        array([[1. , 2. ],
               [1.5, 2. ]], dtype=float32)
    """
    weight = codes.astype(np.float32)
    if zero is not None:
        weight -= _spread(zero, weight.shape, axis, block)
    weight *= _spread(scale, weight.shape, axis, block)
    return weight


def _spread(values: np.ndarray, shape: Shape, axis: int, block: int) -> np.ndarray:
    """Reshape or repeat scales or zero points so that they broadcast over the codes."""
    if block:
        index = np.arange(shape[axis]) // block
        return values.astype(np.float32).take(index, axis=axis)
    if values.size == 1:
        return values.astype(np.float32).reshape(())
    return values.astype(np.float32).reshape([-1 if i == axis else 1 for i in range(len(shape))])

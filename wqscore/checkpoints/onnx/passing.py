"""Operators whose output is the same weight as their input: in another shape or order, or decoded from codes.

Definitions: https://onnx.ai/onnx/operators.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

from wqscore.checkpoints.onnx.graph import Attribute
from wqscore.checkpoints.onnx.views import Dequantised, Shape, View

#: The operators that change neither shape nor order. Rounding to codes changes the numbers, but not the layer.
_SAME = frozenset({"Identity", "Cast", "CastLike", "Dropout", "QuantizeLinear"})
_SHAPING = frozenset({"Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten"})
PASSING = _SAME | _SHAPING | {"DequantizeLinear"}


def passed_on(
    operator: str, view: View, sizes: tuple[int, ...] | None, attributes: Mapping[str, Attribute]
) -> View | None:
    """The output of an operator that passes a weight on; `None` for any other, or where its sizes are not known.

    Args:
        operator: the operator.
        view: its first input.
        sizes: the whole numbers of its second input, if they are known.
        attributes: the node's attributes.
    """
    if operator in _SAME:
        return view
    if operator not in _SHAPING:
        return None
    rank = len(view.shape)
    if operator == "Transpose":
        axes = attributes.get("perm", tuple(range(rank))[::-1])
        return view.transposed(axes) if isinstance(axes, tuple) and sorted(axes) == list(range(rank)) else None
    if operator == "Flatten":
        axis = attributes.get("axis", 1)
        cut = axis if isinstance(axis, int) else 1
        return view.reshaped((prod(view.shape[:cut]), prod(view.shape[cut:]))) if -rank <= cut <= rank else None
    listed = attributes.get("shape" if operator == "Reshape" else "axes", sizes)
    wanted = listed if isinstance(listed, tuple) else None
    if operator == "Reshape":
        shape = _reshaped(view.shape, wanted, keeps=attributes.get("allowzero") != 1)
    elif operator == "Squeeze":
        shape = _squeezed(view.shape, wanted)
    else:
        shape = _unsqueezed(view.shape, wanted)
    return None if shape is None or prod(shape) != prod(view.shape) else view.reshaped(shape)


def coded(codes: View, beside: Sequence[View], axis: object, block: object) -> View:
    """The output of `DequantizeLinear`: codes with their scale and, if there is one, their zero point."""
    scale, zero = beside[0], beside[1] if len(beside) > 1 else None
    along = axis if isinstance(axis, int) else 1
    along += len(codes.shape) if along < 0 else 0
    return codes.decoded(Dequantised(scale, zero, along, block if isinstance(block, int) else 0))


def _reshaped(shape: Shape, wanted: Sequence[int] | None, *, keeps: bool) -> Shape | None:
    """The shape that `Reshape` makes: 0 keeps a size, and −1 is what is left."""
    if wanted is None:
        return None
    sizes = [shape[i] if size == 0 and keeps and i < len(shape) else size for i, size in enumerate(wanted)]
    known = prod(size for size in sizes if size != -1)
    if sizes.count(-1) > 1 or any(size < -1 for size in sizes) or (-1 in sizes and known == 0):
        return None
    return tuple(prod(shape) // known if size == -1 else size for size in sizes)


def _squeezed(shape: Shape, axes: Sequence[int] | None) -> Shape | None:
    if axes is None:
        return tuple(size for size in shape if size != 1)
    gone = {axis % len(shape) for axis in axes} if shape else set()
    return tuple(size for axis, size in enumerate(shape) if axis not in gone)


def _unsqueezed(shape: Shape, axes: Sequence[int] | None) -> Shape | None:
    if axes is None:
        return None
    rank = len(shape) + len(axes)
    new = {axis % rank for axis in axes}
    sizes = iter(shape)
    return tuple(1 if axis in new else next(sizes) for axis in range(rank)) if len(new) == len(axes) else None

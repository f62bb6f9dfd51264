"""Read one item of a stack of matrices, such as one expert, without reading the others."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from wqscore.checkpoints.decoding import DecodedTensor
from wqscore.checkpoints.tensor import Tensor, TensorRef


def item_of(tensor: Tensor, stack: tuple[int, ...], index: int) -> Tensor | None:
    """Make one item of a stack a separate tensor, named `name[index]`.

    Args:
        tensor: the stack.
        stack: the shape to view it in, with its items along the first axis.
        index: the item's index.

    Returns:
        A tensor of shape `stack[1:]` that reads only the item's bytes; `None` if they are not contiguous or can't be
        decoded separately.
    """
    name = f"{tensor.name}[{index}]"
    if isinstance(tensor, DecodedTensor):
        items = tensor.decoding.items
        if items is None or stack != tensor.shape:
            return None
        return replace(tensor, decoding=replace(items(index), name=name))
    if not isinstance(tensor, TensorRef):
        return None
    return None if (found := run_of(tensor, stack, index)) is None else replace(found, name=name, shape=stack[1:])


def run_of(tensor: TensorRef, stack: tuple[int, ...], index: int) -> TensorRef | None:
    """One item of a stored tensor as a stack of one, under the same name; `None` if its bytes are not contiguous."""
    bits = prod(stack[1:]) * tensor.dtype.bits
    if tensor.strides is not None or bits % 8:
        return None
    return replace(tensor, shape=(1, *stack[1:]), offset=tensor.offset + index * bits // 8)

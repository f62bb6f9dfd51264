"""One item of a stack of matrices, such as one expert, as a tensor that is read by itself."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from wqscore.checkpoints.decoding import DecodedTensor
from wqscore.checkpoints.tensor import Tensor, TensorRef


def item_of(tensor: Tensor, stack: tuple[int, ...], index: int) -> Tensor | None:
    """Give one item of a tensor a name and a place of its own.

    Args:
        tensor: the tensor.
        stack: the shape it is seen in, its items along the first axis.
        index: of the item.

    Returns:
        A tensor of shape `stack[1:]` that reads no more than it needs; `None` where the bytes of an item don't lie
        together, or can't be decoded without the others.
    """
    name = f"{tensor.name}[{index}]"
    if isinstance(tensor, DecodedTensor):
        items = tensor.decoding.items
        if items is None or stack != tensor.shape:
            return None
        return replace(tensor, decoding=replace(items(index), name=name))
    assert isinstance(tensor, TensorRef)
    return None if (found := run_of(tensor, stack, index)) is None else replace(found, name=name, shape=stack[1:])


def run_of(tensor: TensorRef, stack: tuple[int, ...], index: int) -> TensorRef | None:
    """One item of a stored tensor under the same name, as a stack of one; `None` where it does not lie together."""
    bits = prod(stack[1:]) * tensor.dtype.bits
    if tensor.strides is not None or bits % 8:
        return None
    return replace(tensor, shape=(1, *stack[1:]), offset=tensor.offset + index * bits // 8)

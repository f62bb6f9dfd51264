"""How an operator sees a stored tensor: reshaped, with its axes in another order, and decoded from codes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import prod

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Transposed:
    """The axes in another order."""

    axes: tuple[int, ...]


@dataclass(frozen=True)
class Reshaped:
    """The elements, in row-major order, in another shape."""

    shape: Shape


@dataclass(frozen=True)
class Dequantised:
    """Weights instead of codes, `(code − zero) · scale`; scales differ along `axis`, by blocks if `block` isn't 0."""

    scale: View
    zero: View | None
    axis: int
    block: int


@dataclass(frozen=True)
class Unpacked:
    """Weights instead of `MatMulNBits`' packed codes: `bits` each, `block` of the last axis share a scale."""

    scale: View
    zero: View | None
    bits: int
    block: int
    shape: Shape


Step = Transposed | Reshaped | Dequantised | Unpacked


@dataclass(frozen=True)
class View:
    """A stored tensor as a node takes it.

    Attributes:
        source: the tensor's key.
        shape: the shape that the node sees.
        steps: what is done to the stored tensor, in order.
    """

    source: str
    shape: Shape
    steps: tuple[Step, ...] = ()

    @property
    def is_decoded(self) -> bool:
        """Whether codes were turned into weights."""
        return any(isinstance(step, Dequantised | Unpacked) for step in self.steps)

    def transposed(self, axes: Sequence[int]) -> View:
        """The view with its axes in this order."""
        if tuple(axes) == tuple(range(len(self.shape))):
            return self
        shape = tuple(self.shape[axis] for axis in axes)
        return View(self.source, shape, (*self.steps, Transposed(tuple(axes))))

    def reshaped(self, shape: Shape) -> View:
        """The view in another shape of as many elements."""
        return self if shape == self.shape else View(self.source, shape, (*self.steps, Reshaped(shape)))

    def decoded(self, step: Dequantised | Unpacked) -> View:
        """The view with weights instead of codes."""
        shape = step.shape if isinstance(step, Unpacked) else self.shape
        return replace(self, shape=shape, steps=(*self.steps, step))


def strides_of(shape: Shape, steps: Iterable[Step]) -> tuple[Shape, Shape] | None:
    """The shape and the steps between elements, counted in elements, of a stored tensor seen through a view.

    Returns:
        `None` where only a copy has the elements in this order.

    Example:
        >>> strides_of((2, 3), [Transposed((1, 0))])
        ((3, 2), (1, 3))
        >>> strides_of((2, 3), [Transposed((1, 0)), Reshaped((6,))]) is None
        True
    """
    strides = row_major(shape)
    for step in steps:
        if isinstance(step, Transposed):
            shape = tuple(shape[axis] for axis in step.axes)
            strides = tuple(strides[axis] for axis in step.axes)
        elif isinstance(step, Reshaped):
            found = _restride(shape, strides, step.shape)
            if found is None:
                return None
            shape, strides = step.shape, found
        else:
            return None
    return shape, strides


def row_major(shape: Shape) -> Shape:
    """The steps of a row-major array without gaps; 0 along an axis of one element."""
    return tuple(0 if size == 1 else prod(shape[axis + 1 :]) for axis, size in enumerate(shape))


def _restride(shape: Shape, strides: Shape, new: Shape) -> Shape | None:
    """The steps of a strided array in another shape; `None` where that takes a copy."""
    runs: list[tuple[int, int]] = []
    for size, step in zip(shape, strides, strict=True):
        if size == 1:
            continue
        if runs and runs[-1][1] == size * step:
            runs[-1] = (runs[-1][0] * size, step)
        else:
            runs.append((size, step))
    found: list[int] = []
    left, step = 1, 0
    for size in new:
        if size == 1:
            found.append(0)
            continue
        if left == 1 and runs:
            left, step = runs.pop(0)
        if size == 0 or left % size:
            return None
        left //= size
        found.append(left * step)
    return tuple(found)

"""Find the axes of convolutions' kernels, and cut a kernel into its matrices.

torch stores a kernel as (out, in, k…), MLX as (out, k…, in), Flax, Keras and TensorFlow as (k…, in, out). A file that
doesn't say which is judged by the shapes of all its kernels: a kernel of 64 × 3 positions is none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

from wqscore.checkpoints.tensor import Tensor
from wqscore.matrices import roles
from wqscore.matrices.gated import Shape
from wqscore.matrices.parts import matrix_of
from wqscore.matrices.weight_matrix import Cut, WeightMatrix

#: More than any published kernel has; a kernel with more positions is not cut into a matrix for each.
_MAX_POSITIONS = 10_000
#: The longest side of a square kernel that has as many outputs: patches of 64 × 64.
_MAX_SQUARE = 64
#: The longest side of any other kernel.
_MAX_OBLONG = 11
#: Patches of an image: at least this many outputs, of so many channels.
_MIN_PATCH_WIDTH = 96
_IMAGE_CHANNELS = (1, 3)
#: The longest kernel along one axis in torch's order, the usual one, and in the others.
_MAX_LINE = {"torch": 512, "mlx": _MAX_OBLONG, "flax": _MAX_OBLONG}
_MAX_LINE_ALONE = {"torch": 64, "mlx": 15, "flax": 15}


@dataclass(frozen=True)
class KernelAxes:
    """Which axes of a kernel count outputs and inputs; the others are positions."""

    out: int
    into: int


#: The orders of axes by the framework whose order it is. Negative axes count from the end.
ORDERS = {"torch": KernelAxes(0, 1), "mlx": KernelAxes(0, -1), "flax": KernelAxes(-1, -2)}


def is_plausible(shape: Shape, order: str) -> bool:
    """Whether a kernel of this shape can be in this order, by its positions alone.

    Example:
        >>> [is_plausible((64, 32, 3, 3), order) for order in ("torch", "mlx", "flax")]
        [True, False, False]
    """
    axes = ORDERS[order]
    sides = _positions(shape, axes)
    if len(sides) == 1:
        return sides[0] <= _MAX_LINE_ALONE[order] or (order == "torch" and shape[axes.into] == 1)
    longer = [side for side in sides if side > 1]
    if len(longer) < 2:
        return prod(longer) <= _MAX_LINE[order]
    # A video's patches: frames by a square.
    if len(set(sides[-2:])) == 1 and (sides[0] == sides[-1] or sides[0] <= _MAX_OBLONG):
        return sides[-1] <= (_MAX_SQUARE if shape[axes.out] >= sides[-1] else _MAX_OBLONG)
    return max(sides) <= _MAX_OBLONG and not (order != "torch" and _is_patch(shape))


def axes_named_kernel(shape: Shape) -> KernelAxes:
    """The axes of what is called `kernel`: Flax's and Keras's order, unless only torch's gives a usual kernel.

    Example:
        >>> axes_named_kernel((3, 3, 64, 128)).out, axes_named_kernel((128, 64, 3, 3)).out
        (-1, 0)
    """
    is_small = max(_positions(shape, ORDERS["torch"])) <= _MAX_LINE_ALONE["flax"]
    is_large = max(_positions(shape, ORDERS["flax"])) > _MAX_LINE_ALONE["flax"]
    return ORDERS["torch" if is_small and is_large and not is_plausible(shape, "flax") else "flax"]


def is_square(shape: Shape, axes: KernelAxes) -> bool:
    """Whether a kernel has as many positions along each of its axes."""
    return len(set(_positions(shape, axes))) == 1


def kernel_order(
    kernels: Sequence[Shape], widths: Iterable[int], stated_layout: Callable[[], str], likely: str = ""
) -> str:
    """The framework whose order of axes a checkpoint's kernels have; empty where it can't be told.

    Kernels that only Flax's order allows have that order, whatever the others have.

    Args:
        kernels: the shapes of the kernels.
        widths: numbers of outputs of the checkpoint's other layers.
        stated_layout: reads which framework the checkpoint's file names, empty where it names none; called only where
            not every kernel is torch's by its shape.
        likely: the framework whose order it is where the file names none and the shapes allow several.
    """
    allowed = {shape: plausible_orders(shape) for shape in kernels}
    if all(orders == ["torch"] for orders in allowed.values()):
        return "torch"
    stated = stated_layout()
    if stated == "torch":
        return "torch"
    others = {shape: orders for shape, orders in allowed.items() if orders and orders != ["flax"]}
    if len(others) < sum(map(bool, allowed.values())) and all("flax" in orders for orders in others.values()):
        return "flax"
    alone = {orders[0] for orders in others.values() if len(orders) == 1}
    possible = [order for order in ORDERS if all(order in orders for orders in others.values())]
    if len(alone) > 1 or (alone and stated and stated not in alone) or not possible:
        return ""
    if alone:
        return alone.pop()
    if stated:
        return "" if stated == "mlx" and any(_is_square_only(shape, "torch") for shape in others) else stated
    if any(_is_square_only(shape, "mlx") for shape in others):
        likely = ""
    doubtful, known = [shape for shape in kernels if shape in others], list(widths)
    chained = [order for order in possible if _is_chain(doubtful, known, ORDERS[order])]
    if likely in possible and (not chained or likely in chained):
        return likely
    return chained[0] if chained in (["torch"], ["mlx"]) and not likely else ""


def plausible_orders(shape: Shape) -> list[str]:
    """The orders that a kernel of this shape can be in, by its positions alone."""
    return [order for order in ORDERS if is_plausible(shape, order)]


def convolution_matrices(tensor: Tensor, axes: KernelAxes, pool: bool) -> list[WeightMatrix]:
    """Cut a kernel into its out × in matrices, one for each position.

    Args:
        tensor: the kernel.
        axes: its axes of outputs and inputs.
        pool: make one matrix with the positions as slices, whose eigenvalues are pooled, instead of one for each.

    Returns:
        The matrices; empty if each position is to be a matrix and there are implausibly many.
    """
    shape = tensor.shape
    out_axis, in_axis = axes.out % len(shape), axes.into % len(shape)
    out, inner = shape[out_axis], shape[in_axis]
    positions = [axis for axis in range(len(shape)) if axis not in (out_axis, in_axis)]
    count = prod(shape[axis] for axis in positions)
    if pool:
        cut = Cut(shape, axes=(*positions, out_axis, in_axis))
        return [matrix_of(tensor, "", cut, roles.CONV, out, inner, slices=count, kernel=count)]
    if count > _MAX_POSITIONS:
        return []
    matrices = []
    for position in product(*(range(shape[axis]) for axis in positions)):
        at = dict(zip(positions, position, strict=True))
        index = tuple(at.get(axis, slice(None)) for axis in range(len(shape)))
        cut = Cut(shape, index, None if out_axis < in_axis else (1, 0))
        part = f"[{','.join(map(str, position))}]"
        matrices.append(matrix_of(tensor, part, cut, roles.CONV, out, inner, kernel=count))
    return matrices


def _positions(shape: Shape, axes: KernelAxes) -> Shape:
    taken = {axes.out % len(shape), axes.into % len(shape)}
    return tuple(size for axis, size in enumerate(shape) if axis not in taken)


def _is_patch(shape: Shape) -> bool:
    """Whether a kernel embeds an image's square patches, if it is in torch's order."""
    out, channels, *sides = shape
    is_square = len(sides) > 1 and len(set(sides)) == 1 and sides[0] > 1
    return is_square and channels in _IMAGE_CHANNELS and out >= _MIN_PATCH_WIDTH


def _is_square_only(shape: Shape, order: str) -> bool:
    """Whether a kernel is square in torch's or MLX's order and not in the other's.

    Converters leave some kernels as they were.
    """
    sides = {each: _positions(shape, ORDERS[each]) for each in ("torch", "mlx")}
    return len(sides[order]) > 1 and [each for each in sides if len(set(sides[each])) == 1] == [order]


def _is_chain(kernels: Sequence[Shape], widths: Iterable[int], axes: KernelAxes) -> bool:
    """Whether all kernels but one, which reads the network's input, read what another layer writes.

    One input is that of a depthwise convolution, and tells nothing.
    """
    written = {1, *widths, *(shape[axes.out] for shape in kernels)}
    return sum(shape[axes.into] not in written for shape in kernels) < 2


def reason_unknown(shape: Shape) -> str:
    """Why a kernel is not scored, in one line."""
    orders = ", ".join(
        f"{order} ({shape[axes.out]} × {shape[axes.into]}, {' × '.join(map(str, _positions(shape, axes)))} positions)"
        for order, axes in ORDERS.items()
        if is_plausible(shape, order)
    )
    known = f"it can be {orders}" if orders else "no known order fits its shape"
    return f"the order of its axes can't be told: {known}"

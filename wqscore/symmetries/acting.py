"""Changes of single tensors: what a transformation of a model does to each, without a look at any other tensor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wqscore.symmetries.lines import Lines


@dataclass(frozen=True, eq=False)
class Mix:
    """Replace lines by linear combinations of themselves.

    Attributes:
        lines: the lines.
        factor: what they are multiplied by from the left: shape (count, count), or (count,) for a scale of each.
    """

    lines: Lines
    factor: np.ndarray

    def apply(self, array: np.ndarray) -> np.ndarray:
        """Return the tensor changed; its values may be overwritten."""
        block = self.lines.of(array)
        if self.factor.ndim == 1:
            block *= self.factor.reshape(-1, *(1,) * (block.ndim - 1))
        else:
            block[...] = self.factor @ block
        return array


@dataclass(frozen=True, eq=False)
class Take:
    """Take lines in another order, some of them several times, maybe scaled.

    Attributes:
        lines: all lines of the axis.
        index: which line stands at each place.
        scale: what it is multiplied by there; `None` for nothing.
    """

    lines: Lines
    index: np.ndarray
    scale: np.ndarray | None = None

    def apply(self, array: np.ndarray) -> np.ndarray:
        """Return the tensor changed."""
        taken = np.take(array, self.index, axis=self.lines.axis)
        if self.scale is not None:
            sides = [1] * taken.ndim
            sides[self.lines.axis] = -1
            taken *= self.scale.reshape(sides)
        return taken


@dataclass(frozen=True, eq=False)
class Shift:
    """Add one number to all lines at once, another for each entry of a line.

    Attributes:
        lines: the lines of a weight.
        amount: what is added, over the root mean square of the entries it is added to; shape (the other axis,).
    """

    lines: Lines
    amount: np.ndarray

    def apply(self, array: np.ndarray) -> np.ndarray:
        """Return the tensor changed; its values may be overwritten."""
        block = self.lines.of(array)
        block += self.amount * np.sqrt(np.square(block).mean(axis=0))
        return array


Action = Mix | Take | Shift


def applied(array: np.ndarray, actions: Sequence[Action]) -> np.ndarray:
    """Apply actions on one tensor in order.

    Args:
        array: its values, which stay as they are.
        actions: the actions.

    Returns:
        The new values in float64.
    """
    changed: np.ndarray = np.array(array, dtype=np.float64)
    for action in actions:
        changed = action.apply(changed)
    return changed


def shape_after(shape: Sequence[int], action: Action) -> tuple[int, ...]:
    """The shape of a tensor of this shape once an action is applied."""
    sizes = list(shape)
    if isinstance(action, Take):
        sizes[action.lines.axis] = len(action.index)
    return tuple(sizes)

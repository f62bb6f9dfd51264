"""Neighbouring rows or columns of a stored tensor, which a transformation changes together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Lines:
    """Neighbouring lines of a tensor: rows where `axis` is 0, columns where it is 1.

    Attributes:
        tensor: the tensor's name.
        axis: the axis that the lines are counted along.
        start: the first.
        count: how many.
    """

    tensor: str
    axis: int
    start: int
    count: int

    def of(self, array: np.ndarray) -> np.ndarray:
        """The lines of the tensor's values as a view, the lines along the first axis: shape (count, …)."""
        return np.moveaxis(array, self.axis, 0)[self.start : self.start + self.count]


@dataclass(frozen=True)
class Linear:
    """A linear layer as it is stored.

    Attributes:
        weight: the name of its weight, two axes.
        out: the axis of the weight that counts outputs; 1 for GPT-2's `Conv1D`.
        bias: the name of its bias; empty if it has none.
    """

    weight: str
    out: int = 0
    bias: str = ""

    def outputs(self, start: int, count: int) -> tuple[Lines, ...]:
        """The lines of some outputs: of the weight, then of the bias if there is one."""
        found = (Lines(self.weight, self.out, start, count),)
        return (*found, Lines(self.bias, 0, start, count)) if self.bias else found

    def inputs(self, start: int, count: int) -> Lines:
        """The lines of some inputs."""
        return Lines(self.weight, 1 - self.out, start, count)

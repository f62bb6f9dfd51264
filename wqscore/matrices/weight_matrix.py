"""One weight matrix: how it is cut from its tensor, and its role in the network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from wqscore.checkpoints.tensor import Tensor

Index = tuple[slice | int, ...]


@dataclass(frozen=True)
class Cut:
    """How one matrix is cut from a tensor: reshape, index, reorder the axes, reshape to slices × rows × columns.

    Attributes:
        shape: the shape to reshape the tensor to.
        index: the index to take of it.
        axes: the order of the remaining axes, or `None` to keep theirs.
    """

    shape: tuple[int, ...]
    index: Index = ()
    axes: tuple[int, ...] | None = None

    def of(self, array: np.ndarray) -> np.ndarray:
        """Apply the cut to the tensor's values."""
        part = array.reshape(self.shape)[self.index]
        return part if self.axes is None else part.transpose(self.axes)


@dataclass(frozen=True)
class WeightMatrix:
    """A matrix to score.

    Attributes:
        name: the tensor's name, with the part in brackets where the tensor holds several.
        tensor: the stored tensor it is cut from.
        cut: how it is cut from the tensor.
        role: its role: `embedding`, `attention.q`, …, `conv`, `other` (see `roles`).
        rows: rows of W, or of one slice of a convolution.
        columns: columns of W, or of one slice of a convolution.
        slices: the number of positions of a convolution's kernel if they are pooled, otherwise 1.
        kernel: the number of positions of the kernel, if the matrix is a convolution or cut from one, otherwise 1.
        depth: index of the layer it belongs to, or `None`.
        flags: notes for the reader, such as `fused` for a fused tensor whose layout is unknown.
    """

    name: str
    tensor: Tensor
    cut: Cut
    role: str
    rows: int
    columns: int
    slices: int = 1
    kernel: int = 1
    depth: int | None = None
    flags: tuple[str, ...] = ()

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return self.rows * self.columns * self.slices

    def values(self, array: np.ndarray) -> np.ndarray:
        """Cut this matrix from its tensor's values.

        Returns:
            Shape (slices, rows, columns).
        """
        return self.cut.of(array).reshape(self.slices, self.rows, self.columns)


@dataclass(frozen=True)
class SkippedTensor:
    """A tensor that is not scored, and the reason.

    Attributes:
        name: the tensor's name.
        shape: its shape.
        dtype: its stored data type.
        role: its role, `-` if it has none.
        reason: the reason, in one readable line.
        kind: `not-a-matrix` (1-D, a buffer), `tied` (scored under another name) or `unread` (a matrix that
            should have been scored).
        weights: number of parameters missing from the model's averages because of this skip.
        depth: index of the layer it belongs to, or `None`.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    role: str
    reason: str
    kind: Literal["not-a-matrix", "tied", "unread"]
    weights: int = 0
    depth: int | None = None

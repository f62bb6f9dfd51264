"""One stored tensor: where its bytes lie, and reading them."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from wqscore.checkpoints.dtypes import StoredDtype
from wqscore.errors import CheckpointError


@dataclass(frozen=True)
class TensorRef:
    """A tensor as its file's header describes it; nothing is read until `read`.

    Attributes:
        name: the key in the checkpoint.
        shape: sizes of the dimensions.
        dtype: the stored data type.
        file: the file that holds the bytes.
        offset: the first byte of the tensor's first element (all indices 0), from the start of the file.
        strides: step of each dimension in elements, or `None` for row-major without gaps.
    """

    name: str
    shape: tuple[int, ...]
    dtype: StoredDtype
    file: Path
    offset: int
    strides: tuple[int, ...] | None = None

    @property
    def parameters(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    @property
    def span(self) -> int:
        """Elements between the first and the last that the tensor touches, both included."""
        if self.parameters == 0:
            return 0
        if self.strides is None:
            return self.parameters
        return 1 + sum((size - 1) * step for size, step in zip(self.shape, self.strides, strict=True))

    @property
    def nbytes(self) -> int:
        """Bytes that reading the tensor takes from the file."""
        return -(-self.span * self.dtype.bits // 8)

    @property
    def location(self) -> tuple[object, ...]:
        """Equal for two tensors exactly when they are the same view of the same bytes."""
        return (self.file, self.offset, self.dtype.name, self.shape, self.strides)

    def read(self) -> np.ndarray:
        """Read the tensor from its file.

        Returns:
            An array of `shape` in the stored data type; not row-major where the stored strides are not.

        Raises:
            CheckpointError: the file ends before the tensor does, or its numbers can't be read by themselves.
        """
        if self.dtype.numpy is None:
            raise CheckpointError(f"{self.file.name}: {self.name}: {self.dtype.name} can't be read as numbers")
        try:
            flat = np.fromfile(self.file, dtype=self.dtype.numpy, count=self.span, offset=self.offset)
        except OSError as error:
            raise CheckpointError(f"{self.file}: can't be read: {error.strerror or error}") from error
        if flat.size != self.span:
            raise CheckpointError(f"{self.file}: ends inside {self.name}: fetch the file again")
        if self.strides is None:
            return flat.reshape(self.shape)
        steps = tuple(step * flat.itemsize for step in self.strides)
        return np.lib.stride_tricks.as_strided(flat, self.shape, steps, writeable=False)

"""The `Tensor` protocol, and `TensorRef`, a stored tensor that knows where its bytes are and reads them."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Protocol

import numpy as np

from wqscore.checkpoints.dtypes import StoredDtype
from wqscore.errors import CheckpointError


class Tensor(Protocol):
    """A named tensor of a checkpoint, stored plainly or decoded from stored tensors."""

    @property
    def name(self) -> str:
        """The key in the checkpoint."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the dimensions."""

    @property
    def dtype(self) -> StoredDtype:
        """The stored data type."""

    @property
    def part_of(self) -> str:
        """The name of the weight this tensor is decoded into; empty if it is a weight itself."""

    @property
    def refusal(self) -> str:
        """Why the tensor can't be read as a weight; empty if it can."""

    @property
    def parameters(self) -> int:
        """Number of elements."""

    @property
    def nbytes(self) -> int:
        """Number of bytes read from the files."""

    @property
    def location(self) -> tuple[object, ...]:
        """Equal for two tensors exactly when they are the same view of the same bytes."""

    @property
    def files(self) -> tuple[Path, ...]:
        """The files on disk that hold its bytes."""

    def read(self) -> np.ndarray:
        """Read the tensor into an array of `shape`.

        Raises:
            CheckpointError: it can't be read.
        """


class ByteSource(Protocol):
    """A source of files that are not on disk."""

    def read(self, file: Path, offset: int, length: int) -> bytes:
        """Read `length` bytes of a file.

        Raises:
            CheckpointError: they can't be read.
        """

    def content_id(self, file: Path) -> str:
        """What its host names a file's content by, as `hub.content_id` writes it; empty if it has no name for it."""


@dataclass(frozen=True)
class TensorRef:
    """A stored tensor as its file's header describes it; `read` reads the numbers.

    Attributes:
        name: the key in the checkpoint.
        shape: sizes of the dimensions.
        dtype: the stored data type.
        file: the file that holds the bytes.
        offset: the first byte of the tensor's first element (all indices 0), from the start of the file.
        strides: step of each dimension in elements, or `None` for row-major without gaps.
        source: where to read the file from, `None` for the disk.
        part_of: the name of the weight this tensor is decoded into; empty if it is a weight itself.
        refusal: why the tensor can't be read as a weight; empty if it can.
    """

    name: str
    shape: tuple[int, ...]
    dtype: StoredDtype
    file: Path
    offset: int
    strides: tuple[int, ...] | None = None
    source: ByteSource | None = None
    part_of: str = ""
    refusal: str = ""

    @property
    def files(self) -> tuple[Path, ...]:
        """The file that holds the bytes; empty if it is not on disk."""
        return () if self.source is not None else (self.file,)

    @property
    def parameters(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    @property
    def span(self) -> int:
        """Number of stored elements from the first to the last that the tensor uses, both included."""
        if self.parameters == 0:
            return 0
        if self.strides is None:
            return self.parameters
        return 1 + sum((size - 1) * step for size, step in zip(self.shape, self.strides, strict=True))

    @property
    def nbytes(self) -> int:
        """Number of bytes read from the file."""
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
            CheckpointError: the file ends before the tensor does, or the data type has no NumPy equivalent.
        """
        if self.dtype.numpy is None:
            raise CheckpointError(f"{self.file.name}: {self.name}: {self.dtype.name} can't be read as numbers")
        flat = self._read_flat(self.dtype.numpy)
        if flat.size != self.span:
            raise CheckpointError(f"{self.file}: ends inside {self.name}: fetch the file again")
        if self.strides is None:
            return flat.reshape(self.shape)
        steps = tuple(step * flat.itemsize for step in self.strides)
        return np.lib.stride_tricks.as_strided(flat, self.shape, steps, writeable=False)

    def _read_flat(self, dtype: np.dtype) -> np.ndarray:
        if self.source is not None:
            return np.frombuffer(self.source.read(self.file, self.offset, self.nbytes), dtype=dtype)
        try:
            return np.fromfile(self.file, dtype=dtype, count=self.span, offset=self.offset)
        except OSError as error:
            raise CheckpointError(f"{self.file}: can't be read: {error.strerror or error}") from error

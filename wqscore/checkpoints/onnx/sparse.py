"""Read sparse tensors: numbers other than 0, and their indices.

Definition: `SparseTensorProto` of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod
from pathlib import Path
from typing import NamedTuple

import numpy as np

from wqscore.checkpoints.counts import are_counts, fits_memory
from wqscore.checkpoints.dtypes import StoredDtype
from wqscore.checkpoints.onnx.stored import SparseInitialiser
from wqscore.checkpoints.onnx.values import Stored, locate
from wqscore.errors import CheckpointError

#: A sparse tensor of fewer numbers, one in this many, is not unfolded: a small forged file could fill the memory.
_MAX_UNFOLDING = 1000


class SparseStored(NamedTuple):
    """Where a sparse tensor's numbers and their indices are.

    Attributes:
        values: the numbers, of shape (count,).
        indices: of shape (count,) in the row-major order of all elements, or (count, dimensions).
        dims: the tensor's shape.
        refusal: why it can't be read; empty if it can.
    """

    values: Stored
    indices: Stored
    dims: tuple[int, ...]
    refusal: str = ""

    @property
    def dtype(self) -> StoredDtype:
        """The type of the numbers."""
        return self.values.dtype


def locate_sparse(sparse: SparseInitialiser, file: Path) -> SparseStored:
    """Find and check the bytes of a sparse tensor.

    Raises:
        CheckpointError: the model contradicts itself or its files, or names a file outside its folder.
    """
    if not are_counts(*sparse.dims) or not fits_memory(sparse.dims, 8):
        where = f"{file}: {sparse.name:.200}"
        raise CheckpointError(f"{where}: has a shape that is negative or larger than any memory: damaged or forged")
    values = locate(sparse.values, file)
    indices = locate(replace(sparse.indices, name=f"{sparse.name}.indices"), file)
    count, size = prod(values.dims), prod(sparse.dims)
    shapes = ((count,), (count, len(sparse.dims)))
    refusal = values.refusal
    if indices.dtype.name != "I64" or indices.dims not in shapes or values.dims != (count,):
        refusal = "a sparse tensor whose indices do not fit its numbers"
    elif values.dtype.kind != "float":
        refusal = f"a sparse tensor of {values.dtype.name}, not floats: not read"
    elif size > max(count, 1) * _MAX_UNFOLDING:
        refusal = f"a sparse tensor that unfolds to more than {_MAX_UNFOLDING} times its size: not read"
    return SparseStored(values, indices, sparse.dims, refusal)


def unfold(values: np.ndarray, indices: np.ndarray, shape: tuple[int, ...], where: str) -> np.ndarray:
    """Make a dense array of a sparse one.

    Args:
        values: the numbers, of shape (count,).
        indices: int64, of shape (count,) or (count, dimensions).
        shape: the dense shape.
        where: for messages.

    Returns:
        An array of the shape, 0 where no number is stored.

    Raises:
        CheckpointError: an index lies outside the shape.
    """
    limits = np.array(shape if indices.ndim == 2 else (prod(shape),))
    if indices.size and ((indices < 0) | (indices >= limits)).any():
        raise CheckpointError(f"{where}: has an index outside its shape: damaged or forged")
    flat = (
        np.ravel_multi_index(tuple(indices.T), shape) if indices.ndim == 2 and indices.size else indices.reshape(-1)
    )
    dense = np.zeros(prod(shape), values.dtype)
    dense[flat] = values
    return dense.reshape(shape)

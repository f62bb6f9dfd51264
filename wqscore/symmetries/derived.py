"""Tensors that are computed from those of a checkpoint when they are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from math import prod
from pathlib import Path

import numpy as np

from wqscore.checkpoints.checkpoint import Checkpoint
from wqscore.checkpoints.dtypes import StoredDtype
from wqscore.checkpoints.tensor import Tensor
from wqscore.symmetries.acting import Action, applied, shape_after
from wqscore.symmetries.sites import Layout
from wqscore.symmetries.transformations import Stored, Transformation


@dataclass(frozen=True)
class DerivedTensor:
    """A `Tensor` computed in float64 from stored ones.

    Attributes:
        source: the stored tensor in whose place it is.
        parts: the stored tensors that it is computed from.
        shape: its shape.
        compute: maps the parts' arrays to its own.
        recipe: what is computed, for keys; empty for what must not be kept.
    """

    source: Tensor
    parts: tuple[Tensor, ...]
    shape: tuple[int, ...]
    compute: Callable[..., np.ndarray]
    recipe: str = ""

    @property
    def name(self) -> str:
        """The stored tensor's name."""
        return self.source.name

    @property
    def dtype(self) -> StoredDtype:
        """The stored data type."""
        return self.source.dtype

    @property
    def part_of(self) -> str:
        """As of the stored tensor."""
        return self.source.part_of

    @property
    def refusal(self) -> str:
        """As of the stored tensor."""
        return self.source.refusal

    @property
    def parameters(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Number of bytes read from the files."""
        return sum(part.nbytes for part in self.parts)

    @property
    def location(self) -> tuple[object, ...]:
        """Equal for two tensors exactly when they stand for the same bytes."""
        return ("derived", *self.source.location)

    @property
    def files(self) -> tuple[Path, ...]:
        """The files on disk that hold the parts."""
        return tuple(dict.fromkeys(file for part in self.parts for file in part.files))

    def read(self) -> np.ndarray:
        """Read the parts and compute the tensor, an array of `shape` in float64."""
        return self.compute(*(part.read() for part in self.parts)).reshape(self.shape)


def stored_of(checkpoint: Checkpoint, layout: Layout) -> Stored:
    """What transformations need to know of a checkpoint with a layout."""
    tensors = {tensor.name: tensor for tensor in checkpoint.tensors}

    @cache
    def read(name: str) -> np.ndarray:
        return tensors[name].read()

    eps = checkpoint.config.get(layout.eps_key)
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    return Stored(shapes, read, eps if isinstance(eps, float) else 0.0)


def transformed(checkpoint: Checkpoint, transformation: Transformation) -> Checkpoint:
    """A checkpoint whose tensors are transformed when they are read, each by itself."""
    tensors = tuple(_transformed(tensor, transformation.actions) for tensor in checkpoint.tensors)
    return replace(checkpoint, tensors=tensors, config=checkpoint.config | dict(transformation.config))


def _transformed(tensor: Tensor, actions: Mapping[str, tuple[Action, ...]]) -> Tensor:
    own = actions.get(tensor.name)
    if own is None:
        return tensor
    shape = tensor.shape
    for action in own:
        shape = shape_after(shape, action)
    return DerivedTensor(tensor, (tensor,), shape, partial(applied, actions=own))

"""Cut a fused tensor into its matrices, stored one after the other or group by group."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wqscore.checkpoints.decoding import flags_of
from wqscore.checkpoints.tensor import Tensor
from wqscore.matrices import roles
from wqscore.matrices.gated import Shape
from wqscore.matrices.weight_matrix import Cut, WeightMatrix


@dataclass(frozen=True)
class Part:
    """One matrix of a fused tensor: its label (`q`, `gate`, …), its cut and its size."""

    label: str
    cut: Cut
    rows: int
    columns: int


@dataclass(frozen=True)
class Fused:
    """The parts of a fused tensor; empty if its layout is unknown."""

    parts: tuple[Part, ...]


def matrix_of(tensor: Tensor, part: str, cut: Cut, role: str, rows: int, columns: int, **more: Any) -> WeightMatrix:
    """Make a matrix of a tensor; `part` is appended to the tensor's name, empty for the whole tensor."""
    depth, flags = roles.depth_of(tensor.name), (*flags_of(tensor), *more.pop("flags", ()))
    return WeightMatrix(f"{tensor.name}{part}", tensor, cut, role, rows, columns, depth=depth, flags=flags, **more)


def contiguous(shape: Shape, axis: int, sizes: Mapping[str, int]) -> tuple[Part, ...]:
    """Cut parts one after the other along an axis; empty if the sizes don't add up to the axis."""
    if sum(sizes.values()) != shape[axis] or min(sizes.values(), default=0) < 1:
        return ()
    parts, start = [], 0
    for label, size in sizes.items():
        taken = slice(start, start + size)
        index = (taken,) if axis == 0 else (slice(None), taken)
        rows, columns = (size, shape[1]) if axis == 0 else (shape[0], size)
        parts.append(Part(label, Cut(shape, index), rows, columns))
        start += size
    return tuple(parts)


def equal(shape: Shape, axis: int, labels: Iterable[str]) -> tuple[Part, ...]:
    """Cut parts of equal size, one after the other along an axis."""
    named = tuple(labels)
    return contiguous(shape, axis, dict.fromkeys(named, shape[axis] // len(named)))


def group_by_group(shape: Shape, groups: int, sizes: Sequence[tuple[str, int]]) -> tuple[Part, ...]:
    """Cut rows ordered by group, each with `sizes` rows of each part; empty if they don't add up to the tensor."""
    per_group, every = sum(size for _, size in sizes), slice(None)
    if groups * per_group != shape[0] or min(size for _, size in sizes) < 1:
        return ()
    view = (groups, per_group, shape[1])
    parts, start = [], 0
    for label, size in sizes:
        cut = Cut(view, (every, slice(start, start + size)))
        parts.append(Part(label, cut, groups * size, shape[1]))
        start += size
    return tuple(parts)

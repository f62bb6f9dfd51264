"""The matrices that one fused tensor holds: one after the other, or group by group."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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
    """A fused tensor: its parts, or none when the layout can't be told."""

    parts: tuple[Part, ...]


def matrix_of(tensor: Tensor, part: str, cut: Cut, role: str, rows: int, columns: int, **more: Any) -> WeightMatrix:
    """A matrix of a tensor, at the tensor's depth; `part` follows the tensor's name, empty for the whole of it."""
    depth = roles.depth_of(tensor.name)
    return WeightMatrix(f"{tensor.name}{part}", tensor, cut, role, rows, columns, depth=depth, **more)


def contiguous(shape: Shape, axis: int, sizes: Mapping[str, int]) -> tuple[Part, ...]:
    """Parts one after the other along an axis; none when the sizes don't fill it."""
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
    """Parts of one size, one after the other along an axis."""
    named = tuple(labels)
    return contiguous(shape, axis, dict.fromkeys(named, shape[axis] // len(named)))


def group_by_group(shape: Shape, groups: int, sizes: Sequence[tuple[str, int]]) -> tuple[Part, ...]:
    """Rows ordered by group, so many rows of each part in each group; none when they don't fill the tensor."""
    per_group, every = sum(size for _, size in sizes), slice(None)
    if groups * per_group != shape[0] or min(size for _, size in sizes) < 1:
        return ()
    seen = (groups, per_group, shape[1])
    parts, start = [], 0
    for label, size in sizes:
        cut = Cut(seen, (every, slice(start, start + size)))
        parts.append(Part(label, cut, groups * size, shape[1]))
        start += size
    return tuple(parts)

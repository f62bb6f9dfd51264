"""Make one stored tensor narrower: the neurons that stay, and the sums of what was merged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from wqscore.studies.width.blocks import Projection
from wqscore.studies.width.merging import Merged
from wqscore.studies.width.orientation import split
from wqscore.studies.width.pairing import place_of

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Piece:
    """A part of a stored tensor that changes.

    Attributes:
        axis: the axis of the part along which the neurons lie.
        width: its length afterwards; `None` where it stays.
        change: makes the new part from the old one, both with that axis first.
        item: the part's place in a stack; `None` where it is in none.
        items: the shape of one item of the stack.
        part: the part of the axis that changes; `None` for all of it.
    """

    axis: int
    width: int | None
    change: Callable[[np.ndarray], np.ndarray]
    item: int | None = None
    items: Shape = ()
    part: slice | None = None


def into_piece(projection: Projection, merged: Merged, width: int) -> Piece:
    """The weights into a block's neurons: those of the neurons that stay, and zeros."""
    return _of(projection, width, lambda rows: _padded(rows[merged.kept], width))


def out_piece(projection: Projection, merged: Merged, width: int) -> Piece:
    """The weights out of a block's neurons: sums over merged ones, and zeros."""
    return _of(projection, width, lambda rows: _padded(merged.outgoing(rows), width))


def bias_piece(projection: Projection, merged: Merged, width: int) -> Piece:
    """The biases of a block's neurons."""
    part = None if projection.bias_part == slice(None) else projection.bias_part
    return Piece(0, width, lambda biases: _padded(biases[merged.kept], width), part=part)


def shift_piece(merged: Merged) -> Piece:
    """The bias of the layer after a block, which takes what constant neurons add."""
    return Piece(0, None, lambda biases: biases.astype(np.float64) + merged.folded)


def shape_after(shape: Shape, pieces: Sequence[Piece]) -> Shape:
    """The shape of a tensor once it has changed."""
    if not pieces:
        return shape
    items = pieces[0].items or shape
    made = list(items)
    of_one = [piece for piece in pieces if piece.item == pieces[0].item and piece.width is not None]
    for axis in {piece.axis for piece in of_one}:
        widths = {(piece.part or slice(None)).start: piece.width for piece in of_one if piece.axis == axis}
        made[axis] = sum(width for width in widths.values() if width is not None)
    return _stacked(shape, items, tuple(made))


def rewritten(array: np.ndarray, pieces: Sequence[Piece]) -> np.ndarray:
    """A tensor's values once its pieces have changed; float64 where they are sums.

    Args:
        array: the values as stored.
        pieces: what changes, in order.
    """
    items = pieces[0].items
    if not items:
        return _changed(array, pieces)
    stack = array.reshape(-1, *items)
    made = [_changed(item, [piece for piece in pieces if piece.item == place]) for place, item in enumerate(stack)]
    return np.stack(made).reshape(_stacked(array.shape, items, made[0].shape))


def _stacked(shape: Shape, items: Shape, made: Shape) -> Shape:
    """The shape of a stack of items, which may be stored along the rows of a matrix."""
    count = prod(shape) // prod(items)
    if len(shape) == len(items):
        return (made[0] * count, *made[1:])
    return (*shape[: -len(items)], *made)


def _of(projection: Projection, width: int, change: Callable[[np.ndarray], np.ndarray]) -> Piece:
    matrix = projection.matrix
    cut = split(matrix)
    item = place_of(matrix).item
    items = matrix.cut.shape[-2:] if item else ()
    return Piece(projection.axis, width, change, int(item) if item else None, items, cut[1] if cut else None)


def _changed(array: np.ndarray, pieces: Sequence[Piece]) -> np.ndarray:
    for piece in pieces:
        if piece.part is None:
            array = np.moveaxis(piece.change(np.moveaxis(array, piece.axis, 0)), 0, piece.axis)
    parts = {piece.part.start or 0: piece for piece in pieces if piece.part is not None}
    if not parts:
        return array
    axis = next(iter(parts.values())).axis
    turned = np.moveaxis(array, axis, 0)
    made = np.concatenate([piece.change(turned[piece.part]) for _, piece in sorted(parts.items())])
    return np.moveaxis(made, 0, axis)


def _padded(rows: np.ndarray, width: int) -> np.ndarray:
    missing = np.zeros((width - len(rows), *rows.shape[1:]), rows.dtype)
    return np.concatenate([rows, missing])

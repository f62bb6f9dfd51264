"""Compute a tensor as a layer takes it: apply the steps of a view to the stored numbers."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import numpy as np

from wqscore.checkpoints.onnx.dequantise import dequantise
from wqscore.checkpoints.onnx.sparse import SparseStored, unfold
from wqscore.checkpoints.onnx.values import Stored
from wqscore.checkpoints.onnx.views import Dequantised, Reshaped, Transposed, Unpacked, View


def evaluate(
    *arrays: np.ndarray, view: View, stored: Mapping[str, Stored | SparseStored], order: tuple[str, ...]
) -> np.ndarray:
    """Compute the float32 values of a view.

    Args:
        *arrays: the parts of each tensor, as `parts_of` lists them, one tensor after the other.
        view: what to compute.
        stored: the tensors by key.
        order: the keys in the order of the parts.
    """
    rest = list(arrays)
    numbers: dict[str, np.ndarray] = {}
    for key in order:
        numbers[key] = _numbers(stored[key], rest, key)
    return np.asarray(_seen(view, numbers), np.float32)


def _numbers(stored: Stored | SparseStored, rest: list[np.ndarray], key: str) -> np.ndarray:
    """The numbers of a tensor, from its parts at the start of the list, which are taken off."""
    if isinstance(stored, SparseStored):
        values = _numbers(stored.values, rest, key)
        return unfold(values, _numbers(stored.indices, rest, key), stored.dims, key)
    array = rest.pop(0)
    return stored.parse(array) if stored.parse else array


def _seen(view: View, numbers: Mapping[str, np.ndarray]) -> np.ndarray:
    array = numbers[view.source]
    for step in view.steps:
        if isinstance(step, Transposed):
            array = array.transpose(step.axes)
        elif isinstance(step, Reshaped):
            array = array.reshape(step.shape)
        elif isinstance(step, Dequantised):
            zero = None if step.zero is None else _seen(step.zero, numbers)
            array = dequantise(array, _seen(step.scale, numbers), zero, axis=step.axis, block=step.block)
        else:
            array = _unpacked(array, step, numbers)
    return array


def _unpacked(codes: np.ndarray, step: Unpacked, numbers: Mapping[str, np.ndarray]) -> np.ndarray:
    """Weights from `MatMulNBits`' codes.

    Definition: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md.

    Args:
        codes: uint8, (rows, blocks, bytes of a block); the first code is in the lowest bits.
        step: the scales, the zero points and the shape.
        numbers: their numbers.

    Returns:
        float32 (rows, columns), `(code − zero) · scale`.
    """
    rows, columns = step.shape
    blocks = -(-columns // step.block)
    weights = _bits(codes.reshape(rows, -1), step.bits).reshape(rows, blocks, step.block).astype(np.float32)
    scale = _seen(step.scale, numbers).astype(np.float32).reshape(rows, blocks, 1)
    if step.zero is None:
        weights -= np.float32(1 << (step.bits - 1))
    else:
        zero = _seen(step.zero, numbers)
        plain = zero.size == rows * blocks and zero.dtype.kind == "f"
        zero = zero if plain else _bits(zero.reshape(rows, -1), step.bits)[:, :blocks]
        weights -= zero.astype(np.float32).reshape(rows, blocks, 1)
    weights *= scale
    return weights.reshape(rows, -1)[:, :columns]


def _bits(data: np.ndarray, bits: int) -> np.ndarray:
    """Unpack codes of 2, 4 or 8 bits along the last axis."""
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    codes = (data[..., None] >> shifts) & np.uint8((1 << bits) - 1)
    return codes.reshape(*data.shape[:-1], data.shape[-1] * shifts.size)


def fits(step: Unpacked, codes: tuple[int, ...]) -> bool:
    """Whether packed codes, their scales and zero points are as many as the shape takes."""
    rows, columns = step.shape
    if step.bits not in (2, 4, 8) or step.block < 1 or (step.block * step.bits) % 8 or min(rows, columns) < 1:
        return False
    blocks = -(-columns // step.block)
    packed = -(-blocks * step.bits // 8)
    zeros = prod(step.zero.shape) if step.zero else rows * packed
    right = prod(codes) == rows * blocks * step.block * step.bits // 8 and prod(step.scale.shape) == rows * blocks
    return right and zeros in (rows * packed, rows * blocks)

"""Compute weights from compressed-tensors' codes: bytes, packed integers, packed four-bit floats."""

from __future__ import annotations

import ml_dtypes
import numpy as np

from wqscore.checkpoints.quantised.packing import unpack_codes
from wqscore.checkpoints.quantised.scaling import block_numbers, dequantise
from wqscore.errors import CheckpointError

Sizes = tuple[int, int]
#: Small floats that are read as bytes. Scales stored as bytes e are powers of two, 2^(e − 127), and NaN for 255.
_FLOATS = {"F8_E4M3": ml_dtypes.float8_e4m3fn, "F8_E8M0": ml_dtypes.float8_e8m0fnu, "U8": ml_dtypes.float8_e8m0fnu}


def decode_bytes(
    weight: np.ndarray,
    weight_scale: np.ndarray,
    weight_zero_point: np.ndarray | None = None,
    *,
    code: str,
    scale: str,
    blocks: Sizes,
) -> np.ndarray:
    """Decode codes of one byte each: w = (q − z)·s.

    Args:
        weight: q, (out, in), int8, or uint8 if the codes are floats.
        weight_scale: s, one for the tensor, one for each row, or (row blocks, column blocks).
        weight_zero_point: z, of the scales' shape and the codes' type; `None` for 0.
        code: the stored type of q and z.
        scale: the stored type of s.
        blocks: rows and columns of a block.

    Returns:
        (out, in), float32.
    """
    zeros = None if weight_zero_point is None else _grid(_values(weight_zero_point, code))
    rows, columns = (block_numbers(*side) for side in zip(weight.shape, blocks, strict=True))
    return dequantise(_values(weight, code), _grid(_values(weight_scale, scale)), zeros, rows, columns)


def decode_integers(
    weight_packed: np.ndarray,
    weight_scale: np.ndarray,
    weight_zero_point: np.ndarray | None = None,
    weight_g_idx: np.ndarray | None = None,
    *,
    bits: int,
    inputs: int,
    blocks: Sizes,
) -> np.ndarray:
    """Decode integers of b bits, stored as q + 2^(b−1): w = (q − z)·s.

    Args:
        weight_packed: (out, in·b/32) int32.
        weight_scale: s, one for the tensor, one for each row, or (row blocks, column blocks).
        weight_zero_point: z, of the scales' shape if int8; if int32, packed like q but along the rows; `None` for 0.
        weight_g_idx: the group of each column, (in,); ignored if it contains −1.
        bits: b.
        inputs: in.
        blocks: rows and columns of a block; `weight_g_idx` overrides the columns.

    Returns:
        (out, in), float32.

    Raises:
        CheckpointError: `weight_g_idx` names a group that doesn't exist.
    """
    outputs, least = weight_packed.shape[0], 2 ** (bits - 1)
    scales = _grid(weight_scale)
    if weight_zero_point is None:
        zeros = np.full(scales.shape, least, dtype=np.float32)
    elif weight_zero_point.dtype.itemsize == 1:
        zeros = _grid(weight_zero_point).astype(np.float32) + least
    else:
        zeros = unpack_codes(weight_zero_point.T, bits, outputs).T
    columns = block_numbers(inputs, blocks[1])
    if weight_g_idx is not None and weight_g_idx.min() != -1:
        columns = weight_g_idx
    if not 0 <= columns.min() <= columns.max() < scales.shape[1]:
        raise CheckpointError(
            f"weight_g_idx names groups outside 0 … {scales.shape[1] - 1}: the checkpoint is damaged"
        )
    codes = unpack_codes(weight_packed, bits, inputs)
    return dequantise(codes, scales, zeros, block_numbers(outputs, blocks[0]), columns)


def decode_floats(
    weight_packed: np.ndarray,
    weight_scale: np.ndarray,
    weight_global_scale: np.ndarray | None = None,
    *,
    scale: str,
    block: int,
) -> np.ndarray:
    """Decode E2M1 floats of four bits (OCP Microscaling Formats 1.0, section 5.3.3): w = q·s/g.

    Args:
        weight_packed: two codes in a byte, the first in its low half, (out, in/2) uint8.
        weight_scale: s, (out, in/block) uint8.
        weight_global_scale: g, one number; `None` for 1.
        scale: the stored type of s.
        block: number of columns that share a scale.

    Returns:
        (out, in), float32.
    """
    outputs, half = weight_packed.shape
    codes = np.stack((weight_packed & 0xF, weight_packed >> 4), axis=-1).reshape(outputs, 2 * half)
    scales = _values(weight_scale, scale).astype(np.float32)
    if weight_global_scale is not None:
        with np.errstate(all="ignore"):
            scales /= weight_global_scale.astype(np.float32).reshape(1, 1)
    columns = block_numbers(2 * half, block)
    return dequantise(codes.view(ml_dtypes.float4_e2m1fn), scales, None, np.arange(outputs), columns)


def _values(array: np.ndarray, stored: str) -> np.ndarray:
    return array.view(_FLOATS[stored]) if stored in _FLOATS else array


def _grid(values: np.ndarray) -> np.ndarray:
    """Reshape scales or zero points to two dimensions: one per tensor or per row becomes a column."""
    return values if values.ndim == 2 else values.reshape(-1, 1)

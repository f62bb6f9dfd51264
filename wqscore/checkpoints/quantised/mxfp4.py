"""Decode the MXFP4 experts of gpt-oss: four-bit floats, of which each 32 in a row share a power of two.

OCP, "Microscaling formats (MX) specification" 1.0 (2023): elements E2M1, scales E8M0. `…_blocks` holds two elements
a byte, the first in the low half; `…_scales` holds the exponents.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import ml_dtypes
import numpy as np

from wqscore.checkpoints.decoding import Decoding, Refusal
from wqscore.checkpoints.stack_items import run_of
from wqscore.checkpoints.tensor import TensorRef

#: Bytes of the 32 elements that share a scale.
_GROUP_BYTES = 16
#: Groups decoded at a time: a few megabytes besides the result.
_GROUPS = 16_384
_BLOCKS, _SCALES = "_blocks", "_scales"


def plan_decoding(
    tensors: Mapping[str, TensorRef], config: Mapping[str, Any]
) -> tuple[list[Decoding], list[Refusal]]:
    """Find the stacks of experts that are stored as MXFP4.

    Args:
        tensors: the stored tensors by name.
        config: the parsed `config.json`; not used, since the tensors' names and shapes suffice.

    Returns:
        The stacks, each of shape (experts, in, out) as in transformers' dequantised model, and the tensors named like
        a stack that don't fit, with the reason; both in the order of `tensors`.
    """
    decodings: list[Decoding] = []
    refusals: list[Refusal] = []
    for blocks in tensors.values():
        stem = blocks.name.removesuffix(_BLOCKS)
        if stem == blocks.name or blocks.dtype.name != "U8":
            continue
        scales = tensors.get(stem + _SCALES)
        reason = _misfit(blocks, scales)
        if scales is None or reason:
            refusals.append(Refusal(blocks.name, f"MXFP4 {reason}"))
        else:
            experts, rows, groups, _ = blocks.shape
            shape = (experts, groups * 2 * _GROUP_BYTES, rows)
            apart = all(run_of(part, part.shape, 0) for part in (blocks, scales))
            items = partial(_expert, stem, blocks, scales) if apart else None
            decodings.append(Decoding(stem, shape, "MXFP4", (blocks, scales), decode, items=items))
    return decodings, refusals


def decode(blocks: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Compute a stack of experts; to compute some of them, pass the same slice of both arrays.

    Args:
        blocks: uint8, (experts, rows, groups, 16).
        scales: uint8, (experts, rows, groups); e means 2^(e − 127), 255 means NaN.

    Returns:
        float32, (experts, 32·groups, rows), exact; the last axis is not the contiguous one.

    Example:
        >>> blocks = np.full((1, 1, 1, 16), 0x42, np.uint8)  # 1 and 2 by turns
        >>> decode(blocks, np.full((1, 1, 1), 128, np.uint8))[0, :4, 0].tolist()
        [2.0, 4.0, 2.0, 4.0]
    """
    experts, rows, groups, _ = blocks.shape
    pairs = _pairs()
    codes, exponents = blocks.reshape(-1, _GROUP_BYTES), scales.reshape(-1, 1)
    values = np.empty((len(codes), _GROUP_BYTES, 2), np.float32)
    for start in range(0, len(codes), _GROUPS):
        some = slice(start, start + _GROUPS)
        values[some] = pairs[codes[some]]
        with np.errstate(over="ignore", invalid="ignore"):
            values[some] *= exponents[some].view(ml_dtypes.float8_e8m0fnu).astype(np.float32)[..., None]
    return values.reshape(experts, rows, groups * 2 * _GROUP_BYTES).transpose(0, 2, 1)


def _expert(name: str, blocks: TensorRef, scales: TensorRef, index: int) -> Decoding:
    parts = tuple(run for part in (blocks, scales) if (run := run_of(part, part.shape, index)))
    _, rows, groups, _ = blocks.shape
    return Decoding(name, (groups * 2 * _GROUP_BYTES, rows), "MXFP4", parts, decode)


def _pairs() -> np.ndarray:
    """The two numbers of each byte value, the low half's first: (256, 2)."""
    halves = np.arange(16, dtype=np.uint8).view(ml_dtypes.float4_e2m1fn).astype(np.float32)
    return np.stack([np.tile(halves, 16), np.repeat(halves, 16)], axis=1)


def _misfit(blocks: TensorRef, scales: TensorRef | None) -> str:
    """Why the two tensors are not a stack of experts; empty if they are."""
    if scales is None:
        return f"without its scales, {blocks.name.removesuffix(_BLOCKS)}{_SCALES}: is a shard missing?"
    if len(blocks.shape) != 4 or blocks.shape[3] != _GROUP_BYTES:
        return f"blocks of shape {list(blocks.shape)}, not (experts, rows, groups, {_GROUP_BYTES})"
    if scales.shape != blocks.shape[:3] or scales.dtype.name not in {"U8", "F8_E8M0"}:
        return f"scales of type {scales.dtype.name} and shape {list(scales.shape)} for {list(blocks.shape)} blocks"
    return ""

"""Decode bitsandbytes weights: eight-bit rows, and four-bit blocks (NF4, FP4) whose scales may be quantised too.

Dettmers et al., "LLM.int8()" (2022), eq. 4, and "QLoRA" (2023), section 3. Stored with a four-bit weight are its
scales (`absmax`), the 16 values of its codes (`quant_map`), and a JSON text of the rest (`quant_state.…`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any

import numpy as np

from wqscore.checkpoints.decoding import Decoding, Refusal
from wqscore.checkpoints.tensor import TensorRef

Shape = tuple[int, ...]

_TYPES = ("nf4", "fp4")
_FLOATS = frozenset({"F32", "F16", "BF16"})
#: A real JSON text takes 200 bytes.
_MAX_STATE_BYTES = 65_536
_MAX_AXES = 8
_CHUNK = 1 << 18


@dataclass(frozen=True)
class _State:
    """The JSON text of a four-bit weight: its shape and block size; of quantised scales, block size and offset."""

    shape: Shape
    blocksize: int
    nested_blocksize: int
    nested_offset: float


class _MisfitError(Exception):
    """Why a weight is not read; caught in `plan_decoding`."""


def plan_decoding(
    tensors: Mapping[str, TensorRef], config: Mapping[str, Any]
) -> tuple[list[Decoding], list[Refusal]]:
    """Find the weights that bitsandbytes quantised.

    The shape of a four-bit weight is in its JSON text, so planning reads that tensor, of at most 64 kB.

    Args:
        tensors: the stored tensors by name.
        config: the parsed `config.json`; not used, since the tensors' names suffice.

    Returns:
        The weights that can be decoded, and those that can't, with the reason; both in the order of `tensors`.
        GPT-2's (in, out) weights become (out, in), as bitsandbytes stores them.

    Raises:
        CheckpointError: a file ends inside a JSON text.
    """
    decodings: list[Decoding] = []
    refusals: list[Refusal] = []
    for weight in tensors.values():
        stem = weight.name.removesuffix("weight")
        states = [name for kind in _TYPES if (name := f"{weight.name}.quant_state.bitsandbytes__{kind}") in tensors]
        try:
            if states or (f"{weight.name}.absmax" in tensors and f"{weight.name}.quant_map" in tensors):
                decodings.append(_four_bits(weight, states, tensors))
            elif stem != weight.name and f"{stem}SCB" in tensors:
                decodings.append(_eight_bits(weight, stem, tensors))
        except _MisfitError as misfit:
            refusals.append(Refusal(weight.name, f"bitsandbytes: {misfit}"))
    return decodings, refusals


def decode_int8(codes: np.ndarray, largest: np.ndarray) -> np.ndarray:
    """Compute eight-bit weights: w = code · largest / 127.

    Args:
        codes: int8, (out, in).
        largest: float32, (out,): the largest absolute value of each row.

    Returns:
        float32, (out, in), rounded as in bitsandbytes: times `largest`, then times 1/127, both in float32.

    Example:
        >>> decode_int8(np.array([[127, -127]], np.int8), np.array([2.0], np.float32)).tolist()
        [[2.0, -2.0]]
    """
    weights = codes.astype(np.float32, order="C")
    with np.errstate(over="ignore", invalid="ignore"):
        weights *= largest.astype(np.float32).reshape(-1, 1)
        weights *= np.float32(1 / 127)
    return weights


def decode_4bit(
    packed: np.ndarray, scales: np.ndarray, values: np.ndarray, *, shape: Shape, blocksize: int
) -> np.ndarray:
    """Compute four-bit weights: the value of each code times the scale of its block.

    Args:
        packed: two codes a byte, the first in the high half, of any element type and shape.
        scales: (ceil(weights / blocksize),).
        values: (16,), the value of each code.
        shape: the weights' shape.
        blocksize: number of consecutive weights, in row-major order, that share a scale.

    Returns:
        float32 of `shape`, not rounded to the type that the model computes in.

    Example:
        >>> values = np.arange(16, dtype=np.float32)
        >>> packed = np.array([[0x12], [0x34]], np.uint8)
        >>> decode_4bit(packed, np.array([1.0, 10.0], np.float32), values, shape=(2, 2), blocksize=2).tolist()
        [[1.0, 2.0], [30.0, 40.0]]
    """
    codes = np.ascontiguousarray(packed).reshape(-1).view(np.uint8)
    values, scales = values.astype(np.float32).reshape(-1), scales.astype(np.float32).reshape(-1)
    pairs = np.stack([np.repeat(values, 16), np.tile(values, 16)], axis=1)
    both = np.empty((codes.size, 2), np.float32)
    for start in range(0, codes.size, _CHUNK):
        both[start : start + _CHUNK] = pairs[codes[start : start + _CHUNK]]
    weights = both.reshape(-1)[: prod(shape)]
    blocks, rest = divmod(weights.size, blocksize)
    whole = weights[: blocks * blocksize].reshape(blocks, blocksize)
    with np.errstate(over="ignore", invalid="ignore"):
        whole *= scales[:blocks, None]
        if rest:
            weights[blocks * blocksize :] *= scales[blocks]
    return weights.reshape(shape)


def decode_nested_4bit(
    packed: np.ndarray,
    scale_codes: np.ndarray,
    values: np.ndarray,
    scale_scales: np.ndarray,
    scale_values: np.ndarray,
    *,
    blocksize: int,
    offset: float,
    decode: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray],
) -> np.ndarray:
    """Compute four-bit weights whose scales are quantised to eight bits ("double quantisation").

    Args:
        packed: as in `decode_4bit`.
        scale_codes: uint8, (ceil(weights / blocksize),).
        values: (16,), the value of each of the weights' codes.
        scale_scales: (ceil(scale codes / blocksize),), the scales of the scales.
        scale_values: (256,), the value of each of the scales' codes.
        blocksize: number of scales that share a scale in `scale_scales`.
        offset: the number added to each scale.
        decode: computes the weights from their codes, their scales and `values`, as `decode_4bit` does.

    Returns:
        float32, as `decode` returns it.
    """
    scales = scale_values.astype(np.float32).reshape(-1)[scale_codes.reshape(-1)]
    with np.errstate(over="ignore", invalid="ignore"):
        scales *= np.repeat(scale_scales.astype(np.float32).reshape(-1), blocksize)[: scales.size]
        scales += np.float32(offset)
    return decode(packed, scales, values)


def _eight_bits(weight: TensorRef, stem: str, tensors: Mapping[str, TensorRef]) -> Decoding:
    if weight.dtype.name != "I8" or len(weight.shape) != 2:
        raise _MisfitError(f"SCB beside a weight of type {weight.dtype.name} and shape {list(weight.shape)}")
    largest = _companion(tensors, f"{stem}SCB", _FLOATS, weight.shape[0])
    layout = tensors.get(f"{stem}weight_format")
    if layout is not None:
        _companion(tensors, layout.name, frozenset({"U8"}), 1)
        if layout.read().reshape(-1)[0] != 0:
            raise _MisfitError(
                "int8 in a layout of one GPU, not by rows: save it again with bitsandbytes 0.43 or later"
            )
    return Decoding(weight.name, weight.shape, "INT8", (weight, largest), decode_int8)


def _four_bits(weight: TensorRef, states: list[str], tensors: Mapping[str, TensorRef]) -> Decoding:
    if len(states) != 1:
        raise _MisfitError("two quant_state texts" if states else "no quant_state beside it: is a shard missing?")
    kind = states[0].rpartition("__")[2]
    nested = f"{weight.name}.nested_absmax" in tensors
    state = _state(tensors[states[0]], kind, nested)
    count = prod(state.shape)
    stored = weight.parameters * weight.dtype.bits
    if weight.dtype.bits % 8 or (count + 1) // 2 * 8 != stored:
        raise _MisfitError(f"{stored // 4} codes stored for a weight of shape {list(state.shape)}")
    scales = -(-count // state.blocksize)
    absmax = _companion(tensors, f"{weight.name}.absmax", frozenset({"U8"}) if nested else _FLOATS, scales)
    values = _companion(tensors, f"{weight.name}.quant_map", _FLOATS, 16)
    decode = partial(decode_4bit, shape=state.shape, blocksize=state.blocksize)
    if not nested:
        return Decoding(weight.name, state.shape, kind.upper(), (weight, absmax, values), decode)
    outer = -(-scales // state.nested_blocksize)
    scale_scales = _companion(tensors, f"{weight.name}.nested_absmax", _FLOATS, outer)
    scale_values = _companion(tensors, f"{weight.name}.nested_quant_map", _FLOATS, 256)
    nested_decode = partial(
        decode_nested_4bit,
        blocksize=min(state.nested_blocksize, scales),
        offset=state.nested_offset,
        decode=decode,
    )
    parts = (weight, absmax, values, scale_scales, scale_values)
    return Decoding(weight.name, state.shape, kind.upper(), parts, nested_decode)


def _companion(tensors: Mapping[str, TensorRef], name: str, dtypes: frozenset[str], count: int) -> TensorRef:
    """Look up a tensor by name, and check its type and its number of elements."""
    found = tensors.get(name)
    if found is None:
        raise _MisfitError(f"without {name}: is a shard missing?")
    if found.dtype.name not in dtypes or found.parameters != count:
        raise _MisfitError(
            f"{name} is {found.dtype.name} of shape {list(found.shape)}, not {count} numbers as expected"
        )
    return found


def _state(text: TensorRef, kind: str, nested: bool) -> _State:
    """Read and check the JSON text, whose values may be of any type."""
    if text.dtype.name != "U8" or max(text.parameters, text.nbytes) > _MAX_STATE_BYTES:
        raise _MisfitError(f"{text.name} is not a text of at most {_MAX_STATE_BYTES} bytes")
    try:
        fields = json.loads(text.read().tobytes())
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict) or fields.get("quant_type") != kind:
        raise _MisfitError(f"{text.name} is not the JSON text of {kind}")
    shape, offset = fields.get("shape"), fields.get("nested_offset")
    if not isinstance(shape, list) or not 0 < len(shape) <= _MAX_AXES or not all(map(_is_size, shape)):
        raise _MisfitError(f"{text.name} gives no shape")
    if not _is_size(fields.get("blocksize")) or (nested and not _is_size(fields.get("nested_blocksize"))):
        raise _MisfitError(f"{text.name} gives no size of blocks")
    if nested and not isinstance(offset, float):
        raise _MisfitError(f"{text.name} gives no offset of the scales")
    inner = (fields["nested_blocksize"], offset) if nested else (1, 0.0)
    return _State(tuple(shape), fields["blocksize"], *inner)


def _is_size(value: object) -> bool:
    return type(value) is int and 0 < value < 2**40

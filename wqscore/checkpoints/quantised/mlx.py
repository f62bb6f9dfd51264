"""Decode weights that MLX quantised: codes packed along the last axis into 32-bit words (`mlx.core.quantize`).

A layer X stores `X.weight`, the words; `X.scales`, one for each group of consecutive weights; and in the mode
"affine" `X.biases`: w = s·q + b, with q of 1 to 6 or 8 bits. The modes without biases store the scales as bytes:
"mxfp4" and "mxfp8" (OCP, "Microscaling formats specification" 1.0, 2023), and "nvfp4". Code k of a row takes its bits
k·b to k·b + b − 1, from the lowest bit of the first word on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import ml_dtypes
import numpy as np

from wqscore.checkpoints.decoding import Decoding, Refusal
from wqscore.checkpoints.quantised.packing import unpack_codes
from wqscore.checkpoints.quantised.settings import MAX_DEPTH, quantisation_settings
from wqscore.checkpoints.stack_items import run_of
from wqscore.checkpoints.tensor import TensorRef

_WORD = 32
_CODES = ".weight"
_BITS = frozenset({1, 2, 3, 4, 5, 6, 8})
#: The modes without biases by the bits of a group's codes: name, bits, the types of codes and scales.
_MODES: dict[int, tuple[str, int, type, type]] = {
    64: ("NVFP4", 4, ml_dtypes.float4_e2m1fn, ml_dtypes.float8_e4m3fn),
    128: ("MXFP4", 4, ml_dtypes.float4_e2m1fn, ml_dtypes.float8_e8m0fnu),
    256: ("MXFP8", 8, ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e8m0fnu),
}
#: Weights computed at a time: a few megabytes besides the result.
_AT_A_TIME = 2**20


def plan_decoding(
    tensors: Mapping[str, TensorRef], config: Mapping[str, Any]
) -> tuple[list[Decoding], list[Refusal]]:
    """Find the weights that MLX quantised: words with scales beside them.

    Args:
        tensors: the stored tensors by name.
        config: the parsed `config.json`, of any content, with bits and group sizes, for all layers or by a layer's
            name.

    Returns:
        The weights that can be decoded, and the words that can't, with the reason; both in the order of `tensors`.
    """
    settings = list(quantisation_settings(config))
    outcomes = [
        _planned(words, layer, tensors, settings)
        for name, words in tensors.items()
        if (layer := name.removesuffix(_CODES)) != name and words.dtype.name == "U32" and f"{layer}.scales" in tensors
    ]
    decodings = [outcome for outcome in outcomes if isinstance(outcome, Decoding)]
    return decodings, [outcome for outcome in outcomes if isinstance(outcome, Refusal)]


def decode_affine(words: np.ndarray, scales: np.ndarray, biases: np.ndarray, *, bits: int) -> np.ndarray:
    """Compute w = s·q + b, with s and b those of the group.

    Args:
        words: (…, in·bits/32) uint32.
        scales: s, (…, groups), floats.
        biases: b, of the scales' shape.
        bits: bits of a code.

    Returns:
        (…, in), float32.

    Example:
        >>> words = np.array([[0x76543210]], np.uint32)
        >>> decode_affine(words, np.array([[2.0]]), np.array([[-1.0]]), bits=4).tolist()
        [[-1.0, 1.0, 3.0, 5.0, 7.0, 9.0, 11.0, 13.0]]
    """
    return _decode(words, _column(scales), _column(biases), bits=bits, code=np.uint8)


def decode_floats(words: np.ndarray, scales: np.ndarray, *, bits: int, code: type, scale: type) -> np.ndarray:
    """Compute w = s·q, with q a float of four or eight bits and s that of the group.

    Args:
        words: (…, in·bits/32) uint32.
        scales: s, (…, groups), stored as bytes.
        bits: bits of a code.
        code: the codes' type.
        scale: the scales' type.

    Returns:
        (…, in), float32.
    """
    return _decode(words, _column(scales.view(scale)), None, bits=bits, code=code)


def _column(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float32).reshape(-1, 1)


def _decode(words: np.ndarray, scales: np.ndarray, biases: np.ndarray | None, *, bits: int, code: type) -> np.ndarray:
    """Compute the weights of words, given each group's scale and bias as a column."""
    width = words.shape[-1]
    inputs = width * _WORD // bits
    rows = np.ascontiguousarray(words).reshape(-1, width)
    weights = np.empty((len(scales), rows.shape[0] * inputs // len(scales)), np.float32)
    groups = len(scales) // rows.shape[0]
    step = max(1, _AT_A_TIME // inputs)
    with np.errstate(over="ignore", invalid="ignore"):
        for start in range(0, rows.shape[0], step):
            codes = unpack_codes(rows[start : start + step], bits, inputs)
            block = slice(start * groups, (start + codes.shape[0]) * groups)
            part = np.ascontiguousarray(codes).reshape(-1, weights.shape[1]).view(code).astype(np.float32)
            part *= scales[block]
            if biases is not None:
                part += biases[block]
            weights[block] = part
    return weights.reshape(*words.shape[:-1], inputs)


def _planned(
    words: TensorRef, layer: str, tensors: Mapping[str, TensorRef], settings: list[Mapping[str, Any]]
) -> Decoding | Refusal:
    scales, biases = tensors[f"{layer}.scales"], tensors.get(f"{layer}.biases")
    if len(words.shape) < 2 or words.parameters == 0 or scales.parameters == 0:
        return Refusal(words.name, "MLX's words or scales are empty or of one axis")
    if scales.shape[:-1] != words.shape[:-1] or (words.shape[-1] * _WORD) % scales.shape[-1]:
        return Refusal(words.name, f"scales of shape {list(scales.shape)} don't fit words of {list(words.shape)}")
    group = words.shape[-1] * _WORD // scales.shape[-1]
    if biases is None:
        return _floats(words, layer, scales, group, tensors)
    if scales.dtype.kind != "float" or biases.shape != scales.shape or biases.dtype.kind != "float":
        return Refusal(words.name, "MLX's scales and biases are not floats of one shape")
    bits = _bits(layer, group, settings)
    if bits is None:
        named = "names no bits and group size" if not settings else "names no bits and group size that fit"
        return Refusal(words.name, f"MLX's words hold {group} bits in a group, and config.json {named}")
    parts = (words, scales, biases)
    return _decoding(words.name, parts, f"MLX-{bits}", bits, partial(decode_affine, bits=bits))


def _floats(
    words: TensorRef, layer: str, scales: TensorRef, group: int, tensors: Mapping[str, TensorRef]
) -> Decoding | Refusal:
    if scales.dtype.name != "U8" or group not in _MODES or f"{layer}.global_scale" in tensors:
        return Refusal(words.name, "MLX's words without biases are read in the modes mxfp4, mxfp8 and nvfp4 alone")
    dtype, bits, code, scale = _MODES[group]
    decode = partial(decode_floats, bits=bits, code=code, scale=scale)
    return _decoding(words.name, (words, scales), dtype, bits, decode)


def _decoding(name: str, parts: tuple[TensorRef, ...], dtype: str, bits: int, decode: Any) -> Decoding:
    words = parts[0]
    shape = (*words.shape[:-1], words.shape[-1] * _WORD // bits)
    apart = len(shape) == 3 and all(run_of(part, part.shape, 0) for part in parts)

    def item(index: int) -> Decoding:
        runs = tuple(run for part in parts if (run := run_of(part, part.shape, index)))
        return Decoding(name, shape[1:], dtype, runs, decode)

    return Decoding(name, shape, dtype, parts, decode, items=item if apart else None)


def _bits(layer: str, group: int, settings: list[Mapping[str, Any]]) -> int | None:
    """The bits of a layer's codes, where a group has so many bits; `None` if they don't follow."""
    for each in settings:
        own = _of_layer(each, layer)
        if (bits := _fitting({**each, **own}, group)) is not None:
            return bits
    others = {bits for each in settings for pair in _pairs(each) if (bits := _fitting(pair, group)) is not None}
    return others.pop() if len(others) == 1 else None


def _of_layer(settings: Mapping[str, Any], layer: str) -> Mapping[str, Any]:
    """The settings under a layer's name, or under its name without or with a prefix of other modules."""
    exact = settings.get(layer)
    if isinstance(exact, dict):
        return exact
    named = [name for name, value in settings.items() if isinstance(value, dict) and isinstance(name, str)]
    alike = [name for name in named if f".{layer}".endswith(f".{name}") or f".{name}".endswith(f".{layer}")]
    return settings[alike[0]] if len(alike) == 1 else {}


def _fitting(pair: Mapping[str, Any], group: int) -> int | None:
    bits, size = pair.get("bits"), pair.get("group_size")
    fits = type(bits) is int and type(size) is int and bits in _BITS and bits * size == group
    return bits if fits else None


def _pairs(settings: object, depth: int = MAX_DEPTH) -> Iterator[Mapping[str, Any]]:
    """Yield settings and those nested in them, which are of single layers."""
    if depth and isinstance(settings, dict):
        yield settings
        for value in settings.values():
            yield from _pairs(value, depth - 1)

"""Plan decoding of the compressed-tensors formats, which llm-compressor writes and vLLM reads.

A quantised layer X stores `X.weight_scale` and, if it is not symmetric, `X.weight_zero_point`: one number for the
tensor, for each row, or for each block of rows and columns. Its codes are

- "int-quantized", "float-quantized", "naive-quantized" and "mxfp8-quantized": `X.weight`, a byte each;
- "pack-quantized": `X.weight_packed`, integers packed into words along the rows, with the shape in `X.weight_shape`
  and, if columns were quantised in the order of activations, the group of each column in `X.weight_g_idx`;
- "nvfp4-pack-quantized" and "mxfp4-pack-quantized": `X.weight_packed`, floats of four bits, for NVFP4 with
  `X.weight_global_scale`.

The configuration sets the format of layers by patterns over their names. These are not evaluated: the stored tensors
of a layer identify its format, and a layer that is not quantised (the `ignore` list) has no scales.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from wqscore.checkpoints.decoding import Decoding, Refusal
from wqscore.checkpoints.quantised.compressed_codes import Sizes, decode_bytes, decode_floats, decode_integers
from wqscore.checkpoints.quantised.packing import holds
from wqscore.checkpoints.quantised.scaling import block_size
from wqscore.checkpoints.quantised.settings import found, settings_of, sizes
from wqscore.checkpoints.tensor import TensorRef
from wqscore.errors import CheckpointError

#: The tensor that marks a sparse format ("sparse-bitmask", "sparse-24-bitmask", "marlin-24"), and that of its codes.
_SPARSE = {"bitmask": "compressed", "meta": "weight_packed"}
_BYTES = {"I8": "INT8", "F8_E4M3": "F8_E4M3"}
_EXPONENTS = ("U8", "F8_E8M0")
_MX_BLOCK, _NV_BLOCK = 32, 16
_BLOCK = re.compile(r"([0-9]{1,9})x([0-9]{1,9})")

Shape = tuple[int, ...]


@dataclass(frozen=True)
class _Layer:
    """The stored tensors of one layer, by the last part of their names, and the configuration's possible sizes."""

    name: str
    stored: Mapping[str, TensorRef]
    bits: frozenset[int]
    rows: frozenset[int]
    columns: frozenset[int]

    def decoding(self, shape: Shape, dtype: str, decode: Callable[..., np.ndarray], *parts: str) -> Decoding:
        """Plan a decoding from those of `parts` that are stored, each passed as the argument of its name."""
        names = tuple(part for part in parts if part in self.stored)
        arrays = tuple(self.stored[name] for name in names)
        return Decoding(f"{self.name}.weight", shape, dtype, arrays, partial(_by_name, decode, names))


def plan_decoding(
    tensors: Mapping[str, TensorRef], config: Mapping[str, Any]
) -> tuple[list[Decoding], list[Refusal]]:
    """Find the layers that compressed-tensors quantised.

    Args:
        tensors: the stored tensors by name; planning reads the `weight_shape`, two numbers, of packed layers.
        config: the parsed `config.json`, of any content.

    Returns:
        The weights that can be decoded, and the codes that can't, with the reason; none if `config` names another
        method.
    """
    settings = settings_of(config, "compressed-tensors")
    if settings is None:
        return [], []
    rows, columns = _block_sizes(settings)
    bits, groups = sizes(settings, "num_bits"), sizes(settings, "group_size")
    layers: dict[str, dict[str, TensorRef]] = {}
    for name, ref in tensors.items():
        layer, _, part = name.rpartition(".")
        layers.setdefault(layer, {})[part] = ref
    decodings: list[Decoding] = []
    refusals: list[Refusal] = []
    for name, stored in layers.items():
        planned = _planned(_Layer(name, stored, bits, rows, columns | groups))
        if isinstance(planned, Decoding):
            decodings.append(planned)
        elif planned is not None:
            refusals.append(planned)
    return decodings, refusals


def _block_sizes(settings: Mapping[str, Any]) -> tuple[frozenset[int], frozenset[int]]:
    """The heights and the widths of all `block_structure`s: `[128, 128]`, or `"128x128"` in older files."""
    pairs = []
    for block in found(settings, "block_structure"):
        text = _BLOCK.fullmatch(block) if isinstance(block, str) else None
        pair = [int(size) for size in text.groups()] if text else block
        if isinstance(pair, list) and len(pair) == 2 and all(type(size) is int and size > 0 for size in pair):
            pairs.append(pair)
    return frozenset(pair[0] for pair in pairs), frozenset(pair[1] for pair in pairs)


def _planned(layer: _Layer) -> Decoding | Refusal | None:
    """Plan one layer; `None` if it is not quantised."""
    stored = layer.stored
    for mark, part in _SPARSE.items():
        if mark in stored and part in stored:
            return Refusal(stored[part].name, "compressed-tensors' sparse formats are not read")
    codes, scales = stored.get("weight_packed", stored.get("weight")), stored.get("weight_scale")
    if codes is None or codes.dtype.kind != "quantised":
        return None
    if scales is None:
        return Refusal(codes.name, "codes without weight_scale")
    if len(codes.shape) != 2 or codes.parameters == 0 or scales.parameters == 0:
        return Refusal(codes.name, "codes or scales that are empty or not of one matrix")
    if "weight" in stored and "weight_packed" in stored:
        return Refusal(codes.name, "the same layer is stored unpacked as well")
    if "weight" in stored:
        return _bytes(layer, codes, scales)
    return _integers(layer, codes, scales) if codes.dtype.name == "I32" else _floats(layer, codes, scales)


def _bytes(layer: _Layer, codes: TensorRef, scales: TensorRef) -> Decoding | Refusal:
    zeros = layer.stored.get("weight_zero_point")
    if codes.dtype.name not in _BYTES:
        return Refusal(codes.name, f"compressed-tensors with {codes.dtype.name} codes is not read")
    exponents = scales.dtype.name in _EXPONENTS
    if scales.dtype.kind != "float" and not exponents:
        return Refusal(codes.name, f"compressed-tensors with {scales.dtype.name} scales is not read")
    blocks = _blocks(layer, codes.shape, scales.shape)
    if blocks is None:
        return _misfit(codes, scales)
    if zeros is not None and (zeros.shape != scales.shape or zeros.dtype != codes.dtype):
        return Refusal(codes.name, "zero points that are not as the scales and codes are")
    decode = partial(decode_bytes, code=codes.dtype.name, scale=scales.dtype.name, blocks=blocks)
    dtype = "MXFP8" if exponents else _BYTES[codes.dtype.name]
    return layer.decoding(codes.shape, dtype, decode, "weight", "weight_scale", "weight_zero_point")


def _integers(layer: _Layer, codes: TensorRef, scales: TensorRef) -> Decoding | Refusal:
    shape = _stored_shape(layer.stored.get("weight_shape"))
    if shape is None:
        return Refusal(codes.name, "packed codes without two whole numbers as weight_shape")
    outputs, inputs = shape
    fitting = [bits for bits in layer.bits if bits <= 8 and holds(codes.shape[1], bits, inputs)]
    if outputs != codes.shape[0] or len(fitting) != 1:
        return Refusal(codes.name, "packed codes that are not weight_shape codes of the configured num_bits")
    if scales.dtype.kind != "float":
        return Refusal(codes.name, f"compressed-tensors with {scales.dtype.name} scales is not read")
    order = layer.stored.get("weight_g_idx")
    if order is not None and (order.shape != (inputs,) or order.dtype.name not in {"I32", "I64"}):
        return Refusal(codes.name, "weight_g_idx is not one whole number for each column")
    blocks = _blocks(layer, shape, scales.shape)
    if blocks is None:
        return _misfit(codes, scales)
    if not _zeros_fit(layer.stored.get("weight_zero_point"), scales, outputs, fitting[0]):
        return Refusal(codes.name, "zero points that are not as the scales and codes are")
    decode = partial(decode_integers, bits=fitting[0], inputs=inputs, blocks=blocks)
    parts = ("weight_packed", "weight_scale", "weight_zero_point", "weight_g_idx")
    return layer.decoding(shape, f"INT{fitting[0]}", decode, *parts)


def _zeros_fit(zeros: TensorRef | None, scales: TensorRef, outputs: int, bits: int) -> bool:
    if zeros is None or (zeros.dtype.name == "I8" and zeros.shape == scales.shape):
        return True
    packed = zeros.dtype.name == "I32" and len(zeros.shape) == 2 and scales.shape[:1] == (outputs,)
    return packed and holds(zeros.shape[0], bits, outputs) and zeros.shape[1:] == (scales.shape[1:] or (1,))


def _floats(layer: _Layer, codes: TensorRef, scales: TensorRef) -> Decoding | Refusal:
    overall = layer.stored.get("weight_global_scale")
    kinds = {("F8_E4M3", True): ("NVFP4", _NV_BLOCK)} | {(e, False): ("MXFP4", _MX_BLOCK) for e in _EXPONENTS}
    kind = kinds.get((scales.dtype.name, overall is not None))
    if codes.dtype.name != "U8" or kind is None or "weight_zero_point" in layer.stored:
        return Refusal(codes.name, "packed codes that are neither integers nor NVFP4 nor MXFP4 are not read")
    dtype, block = kind
    shape = (codes.shape[0], 2 * codes.shape[1])
    if shape[1] % block or scales.shape != (shape[0], shape[1] // block):
        return Refusal(codes.name, f"{dtype} codes and scales whose shapes don't fit; MXFP6 is not read")
    if overall is not None and (overall.parameters != 1 or overall.dtype.kind != "float"):
        return Refusal(codes.name, "NVFP4 whose weight_global_scale is not one float")
    decode = partial(decode_floats, scale=scales.dtype.name, block=block)
    return layer.decoding(shape, dtype, decode, "weight_packed", "weight_scale", "weight_global_scale")


def _blocks(layer: _Layer, shape: Shape, scales: Shape) -> Sizes | None:
    """Rows and columns that share a scale, or `None` if the shapes don't fit."""
    grid = scales if len(scales) == 2 else (*scales, 1, 1)[:2]
    if len(scales) > 2 or not (0 < grid[0] <= shape[0] and 0 < grid[1] <= shape[1]):
        return None
    rows, columns = block_size(shape[0], grid[0], layer.rows), block_size(shape[1], grid[1], layer.columns)
    return None if rows is None or columns is None else (rows, columns)


def _misfit(codes: TensorRef, scales: TensorRef) -> Refusal:
    return Refusal(codes.name, f"scales of shape {scales.shape} fit no group or block size of the configuration")


def _stored_shape(shape: TensorRef | None) -> tuple[int, int] | None:
    if shape is None or shape.shape != (2,) or shape.dtype.name not in {"I32", "I64"}:
        return None
    try:
        rows, columns = shape.read().tolist()
    except CheckpointError:
        return None
    return (rows, columns) if rows > 0 and columns > 0 else None


def _by_name(decode: Callable[..., np.ndarray], names: tuple[str, ...], *arrays: np.ndarray) -> np.ndarray:
    return decode(**dict(zip(names, arrays, strict=True)))

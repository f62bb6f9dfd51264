"""Decode GPTQ layers as AutoGPTQ and GPTQModel store them (Frantar et al. 2022, arXiv 2210.17323).

A layer X of in × out weights is stored as `X.qweight`, its codes packed along the inputs; `X.qzeros` and `X.scales`,
a zero point and a scale for each group of inputs and each output; and `X.g_idx`, the group of each input, in any
order if the inputs were quantised in the order of their activations. The layout "gptq" stores a zero point minus
one, "gptq_v2" the zero point itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from wqscore.checkpoints.decoding import Decoding, Refusal
from wqscore.checkpoints.quantised import awq
from wqscore.checkpoints.quantised.packed_words import CODES, layers_of, packing_of, symmetric_version
from wqscore.checkpoints.quantised.packing import holds, unpack_codes
from wqscore.checkpoints.quantised.scaling import block_numbers, block_size, dequantise
from wqscore.checkpoints.quantised.settings import sizes
from wqscore.checkpoints.tensor import TensorRef
from wqscore.errors import CheckpointError

#: The number added to a stored zero point, by checkpoint format.
_ZERO_OFFSETS = {"gptq": 1, "gptq_v2": 0}
_BITS = (2, 3, 4, 8)


def plan_decoding(
    tensors: Mapping[str, TensorRef], config: Mapping[str, Any]
) -> tuple[list[Decoding], list[Refusal]]:
    """Find the layers that GPTQ quantised; the stored shapes give the bits and groups of each.

    Args:
        tensors: the stored tensors by name.
        config: the parsed `config.json`, of any content.

    Returns:
        The weights that can be decoded, and the codes that can't, with the reason; none if `config` names no method
        that packs like GPTQ.
    """
    packing = packing_of(config)
    if packing is None:
        return [], []
    # Another family's settings don't say how zero points are stored.
    version = packing.version if packing.family == "gptq" else ""
    group_sizes = sizes(packing.settings, "group_size", "q_group_size")
    layers = layers_of(tensors, "gptq", packing)
    outcomes = [_layer(layer, tensors, version, group_sizes) for layer in layers]
    if packing.family == "gptq":
        others = layers_of(tensors, "awq", packing)
        outcomes += [awq.plan_layer(layer, tensors, "gemm", group_sizes) for layer in others]
    decodings = [outcome for outcome in outcomes if isinstance(outcome, Decoding)]
    return decodings, [outcome for outcome in outcomes if isinstance(outcome, Refusal)]


def _layer(
    layer: str, tensors: Mapping[str, TensorRef], version: str, group_sizes: frozenset[int]
) -> Decoding | Refusal:
    codes = tensors[layer + CODES]
    if version and version not in _ZERO_OFFSETS:
        return Refusal(codes.name, f"GPTQ in the {version} layout is not read")
    zeros, scales, order = (tensors.get(layer + suffix) for suffix in (".qzeros", ".scales", ".g_idx"))
    if f"{layer}.weight" in tensors:
        return Refusal(codes.name, "the same layer is stored without quantisation as well")
    if zeros is None or scales is None:
        return Refusal(codes.name, "GPTQ codes without both their scales and their zero points")
    if codes.dtype.name != "I32" or zeros.dtype.name != "I32" or scales.dtype.kind != "float":
        return Refusal(codes.name, "GPTQ is read from 32-bit words with scales that are floats")
    if not len(codes.shape) == len(zeros.shape) == len(scales.shape) == 2 or 0 in codes.shape + scales.shape:
        return Refusal(codes.name, "GPTQ tensors that are empty or not two-dimensional")
    groups, outputs = scales.shape
    bits, rest = divmod(32 * zeros.shape[1], outputs)
    if rest or bits not in _BITS:
        return Refusal(codes.name, f"GPTQ with {32 * zeros.shape[1] / outputs:g} bits is not read")
    inputs = codes.shape[0] * 32 // bits
    if codes.shape[1] != outputs or zeros.shape[0] != groups or not holds(codes.shape[0], bits, inputs):
        return Refusal(codes.name, "GPTQ codes, zero points and scales whose shapes don't fit")
    size = block_size(inputs, groups, group_sizes)
    if order is None and size is None:
        return Refusal(codes.name, f"{groups} groups of {inputs} inputs have none of the configured sizes")
    if order is not None and (order.shape != (inputs,) or order.dtype.name not in {"I32", "I64"}):
        return Refusal(codes.name, f"GPTQ's g_idx is not one whole number for each of {inputs} inputs")
    version = version or symmetric_version(zeros, bits)
    if not version:
        return Refusal(codes.name, "GPTQ's packing; the configuration has no checkpoint_format, gptq or gptq_v2")
    return Decoding(
        f"{layer}.weight",
        (outputs, inputs),
        f"GPTQ-{bits}",
        (codes, zeros, scales) if order is None else (codes, zeros, scales, order),
        partial(decode, bits=bits, zero_offset=_ZERO_OFFSETS[version], group_size=size),
    )


def decode(
    qweight: np.ndarray,
    qzeros: np.ndarray,
    scales: np.ndarray,
    g_idx: np.ndarray | None = None,
    *,
    bits: int,
    zero_offset: int,
    group_size: int | None = None,
) -> np.ndarray:
    """Compute w_oi = (q_io − z_go)·s_go, with g the group of input i.

    The layout "gptq" can't store a zero point of 0. A stored 2^bits − 1 means 2^bits here, as in auto-round and
    exllama's kernels; AutoGPTQ's torch fallback wraps it to 0.

    Args:
        qweight: (in·bits/32, out) int32.
        qzeros: (groups, out·bits/32) int32.
        scales: (groups, out), floats.
        g_idx: the group of each input, (in,); `None` if groups are of consecutive inputs.
        bits: bits of a code.
        zero_offset: the number added to a stored zero point, 1 for "gptq" and 0 for "gptq_v2".
        group_size: inputs in a group, `None` for all of them; ignored if `g_idx` is given.

    Returns:
        (out, in), float32.

    Raises:
        CheckpointError: `g_idx` names a group that doesn't exist.
    """
    groups, outputs = scales.shape
    inputs = qweight.shape[0] * 32 // bits
    columns = block_numbers(inputs, group_size or inputs) if g_idx is None else g_idx
    if not 0 <= columns.min() <= columns.max() < groups:
        raise CheckpointError(f"GPTQ's g_idx names groups outside 0 … {groups - 1}: the checkpoint is damaged")
    codes = unpack_codes(qweight.T, bits, inputs)
    zeros = unpack_codes(qzeros, bits, outputs).astype(np.float32) + zero_offset
    return dequantise(codes, scales.T, zeros.T, np.arange(outputs), columns)

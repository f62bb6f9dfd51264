"""Decode AWQ layers in AutoAWQ's GEMM format (Lin et al. 2023, arXiv 2306.00978).

A layer X of in × out weights is stored as `X.qweight`, eight codes of neighbouring outputs in a word; `X.qzeros`, a
zero point for each group of inputs and each output, packed in the same way; and `X.scales`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from wqscore.checkpoints.decoding import Decoding, Refusal
from wqscore.checkpoints.quantised.packed_words import CODES, layers_of, packing_of
from wqscore.checkpoints.quantised.packing import unpack_codes
from wqscore.checkpoints.quantised.scaling import block_numbers, block_size, dequantise
from wqscore.checkpoints.quantised.settings import sizes
from wqscore.checkpoints.tensor import TensorRef

_BITS = 4
_IN_A_WORD = 32 // _BITS
#: The index in its word of each of eight neighbouring outputs; a word holds outputs 0, 2, 4, 6, 1, 3, 5, 7.
_INDICES = (0, 4, 1, 5, 2, 6, 3, 7)


def plan_decoding(
    tensors: Mapping[str, TensorRef], config: Mapping[str, Any]
) -> tuple[list[Decoding], list[Refusal]]:
    """Find the layers that AWQ quantised.

    Args:
        tensors: the stored tensors by name.
        config: the parsed `config.json`, of any content.

    Returns:
        The weights that can be decoded, and the codes that can't, with the reason; none if `config` names no
        method that packs like AWQ.
    """
    packing = packing_of(config)
    if packing is None or packing.family != "awq":
        return [], []
    group_sizes = sizes(packing.settings, "group_size", "q_group_size")
    layers = layers_of(tensors, "awq", packing)
    outcomes = [plan_layer(layer, tensors, packing.version, group_sizes) for layer in layers]
    decodings = [outcome for outcome in outcomes if isinstance(outcome, Decoding)]
    return decodings, [outcome for outcome in outcomes if isinstance(outcome, Refusal)]


def plan_layer(
    layer: str, tensors: Mapping[str, TensorRef], version: str, group_sizes: frozenset[int]
) -> Decoding | Refusal:
    """Plan the decoding of one layer.

    Args:
        layer: its name.
        tensors: the stored tensors by name.
        version: the layout; "gemm" alone is read.
        group_sizes: the sizes of groups that the configuration names.
    """
    codes = tensors[layer + CODES]
    if version != "gemm":
        return Refusal(codes.name, f"AWQ in the {version} layout is not read")
    zeros, scales = tensors.get(f"{layer}.qzeros"), tensors.get(f"{layer}.scales")
    if f"{layer}.weight" in tensors:
        return Refusal(codes.name, "the same layer is stored without quantisation as well")
    if zeros is None or scales is None:
        return Refusal(codes.name, "AWQ codes without both their scales and their zero points")
    if codes.dtype.name != "I32" or zeros.dtype.name != "I32" or scales.dtype.kind != "float":
        return Refusal(codes.name, "AWQ is read from 32-bit words with scales that are floats")
    if not len(codes.shape) == len(zeros.shape) == len(scales.shape) == 2 or 0 in codes.shape + scales.shape:
        return Refusal(codes.name, "AWQ tensors that are empty or not two-dimensional")
    if 32 * zeros.shape[1] != _BITS * scales.shape[1]:
        return Refusal(codes.name, f"AWQ with {32 * zeros.shape[1] / scales.shape[1]:g} bits is not read")
    inputs, words = codes.shape
    if scales.shape != (zeros.shape[0], words * _IN_A_WORD) or zeros.shape[1] != words:
        return Refusal(codes.name, "AWQ codes, zero points and scales whose shapes don't fit")
    size = block_size(inputs, scales.shape[0], group_sizes)
    if size is None:
        return Refusal(codes.name, f"{scales.shape[0]} groups of {inputs} inputs have none of the configured sizes")
    return Decoding(
        f"{layer}.weight",
        (words * _IN_A_WORD, inputs),
        "AWQ-4",
        (codes, zeros, scales),
        partial(decode, group_size=size),
    )


def decode(qweight: np.ndarray, qzeros: np.ndarray, scales: np.ndarray, *, group_size: int) -> np.ndarray:
    """Compute w_oi = (q_io − z_go)·s_go, with g = ⌊i/group_size⌋.

    Args:
        qweight: (in, out/8) int32.
        qzeros: (groups, out/8) int32.
        scales: (groups, out), floats.
        group_size: consecutive inputs in a group.

    Returns:
        (out, in), float32.
    """
    inputs, outputs = qweight.shape[0], scales.shape[1]
    columns = block_numbers(inputs, group_size)
    return dequantise(_codes(qweight).T, scales.T, _codes(qzeros).T, np.arange(outputs), columns)


def _codes(words: np.ndarray) -> np.ndarray:
    """The codes of each row in the order of the outputs, (rows, 8·words)."""
    rows, width = words.shape
    codes = unpack_codes(words, _BITS, width * _IN_A_WORD)
    return codes.reshape(rows, width, _IN_A_WORD)[:, :, _INDICES].reshape(rows, -1)

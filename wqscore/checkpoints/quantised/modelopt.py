"""Decode the four-bit floats of NVIDIA's Model Optimizer: NVFP4 and MXFP4 (`modelopt.torch.export`).

A layer X stores `X.weight`, two codes in a byte, the first in its low half; `X.weight_scale`, one for each 16 columns
(NVFP4, E4M3) or 32 columns (MXFP4, E8M0); and for NVFP4 `X.weight_scale_2`, one number for the tensor. The weight is
their product; compressed-tensors, which stores the reciprocal of the last, divides by it. fp8.py reads the method's
FP8. Layers that the method leaves as they are have no scales.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import ml_dtypes
import numpy as np

from wqscore.checkpoints.decoding import Decoding, Refusal
from wqscore.checkpoints.quantised.scaling import block_numbers, dequantise
from wqscore.checkpoints.quantised.settings import is_modelopt
from wqscore.checkpoints.tensor import TensorRef

_WEIGHT = ".weight"
#: By the scales' type: name, columns that share a scale, the type that the scales' bytes are.
_KINDS: dict[str, tuple[str, int, type]] = {
    "F8_E4M3": ("NVFP4", 16, ml_dtypes.float8_e4m3fn),
    "F8_E8M0": ("MXFP4", 32, ml_dtypes.float8_e8m0fnu),
    "U8": ("MXFP4", 32, ml_dtypes.float8_e8m0fnu),
}


def plan_decoding(
    tensors: Mapping[str, TensorRef], config: Mapping[str, Any]
) -> tuple[list[Decoding], list[Refusal]]:
    """Find the weights that Model Optimizer stored in four-bit floats or in integers.

    Args:
        tensors: the stored tensors by name.
        config: the parsed `config.json`, with the settings of `hf_quant_config.json` where there is one.

    Returns:
        The weights that can be decoded, and the codes that can't, with the reason; none if `config` names another
        method.
    """
    if not is_modelopt(config):
        return [], []
    outcomes = [
        _planned(codes, tensors)
        for codes in tensors.values()
        if codes.dtype.name in {"U8", "I8"} and f"{codes.name}_scale" in tensors
    ]
    decodings = [outcome for outcome in outcomes if isinstance(outcome, Decoding)]
    return decodings, [outcome for outcome in outcomes if isinstance(outcome, Refusal)]


def decode(
    weight: np.ndarray, weight_scale: np.ndarray, weight_scale_2: np.ndarray | None = None, *, scale: type, block: int
) -> np.ndarray:
    """Compute w = q·s·t, with q floats of four bits (E2M1), s the scale of the block and t that of the tensor.

    Args:
        weight: two codes in a byte, (…, in/2) uint8.
        weight_scale: s, (…, in/block) uint8.
        weight_scale_2: t, one number; `None` for 1.
        scale: the type of s.
        block: columns that share a scale.

    Returns:
        (…, in), float32.

    Example:
        >>> weight = np.full((1, 8), 0x42, np.uint8)  # 1 and 2 by turns
        >>> args = dict(scale=ml_dtypes.float8_e4m3fn, block=16)
        >>> decode(weight, np.array([[0x38]], np.uint8), np.array(0.5, np.float32), **args)[0, :4].tolist()
        [0.5, 1.0, 0.5, 1.0]
    """
    inputs = 2 * weight.shape[-1]
    codes = np.stack((weight & 0xF, weight >> 4), axis=-1).reshape(-1, inputs)
    scales = weight_scale.view(scale).astype(np.float32).reshape(codes.shape[0], -1)
    if weight_scale_2 is not None:
        with np.errstate(all="ignore"):
            scales = scales * weight_scale_2.astype(np.float32).reshape(1, 1)
    rows, columns = np.arange(codes.shape[0]), block_numbers(inputs, block)
    values = dequantise(codes.view(ml_dtypes.float4_e2m1fn), scales, None, rows, columns)
    return values.reshape(*weight.shape[:-1], inputs)


def _planned(codes: TensorRef, tensors: Mapping[str, TensorRef]) -> Decoding | Refusal:
    layer = codes.name.removesuffix(_WEIGHT)
    scales, overall = tensors[f"{codes.name}_scale"], tensors.get(f"{codes.name}_scale_2")
    if f"{layer}.pre_quant_scale" in tensors:
        return Refusal(codes.name, "Model Optimizer's weights with a pre_quant_scale are not read")
    if codes.dtype.name != "U8" or scales.dtype.name not in _KINDS or layer == codes.name:
        return Refusal(
            codes.name, f"Model Optimizer's {codes.dtype.name} codes with {scales.dtype.name} scales are not read"
        )
    dtype, block, scale = _KINDS[scales.dtype.name]
    if (dtype == "NVFP4") != (overall is not None):
        lacking = f"without {codes.name}_scale_2: is a shard missing?" if overall is None else "with a weight_scale_2"
        return Refusal(codes.name, f"{dtype} {lacking}")
    if len(codes.shape) < 2 or codes.parameters == 0:
        return Refusal(codes.name, f"{dtype} codes that are empty or of one axis")
    shape = (*codes.shape[:-1], 2 * codes.shape[-1])
    if shape[-1] % block or scales.shape != (*shape[:-1], shape[-1] // block):
        return Refusal(
            codes.name, f"{dtype} codes of {list(codes.shape)} and scales of {list(scales.shape)} don't fit"
        )
    if overall is not None and (overall.parameters != 1 or overall.dtype.kind != "float"):
        return Refusal(codes.name, "NVFP4 whose weight_scale_2 is not one float")
    parts = (codes, scales) if overall is None else (codes, scales, overall)
    return Decoding(codes.name, shape, dtype, parts, partial(decode, scale=scale, block=block))

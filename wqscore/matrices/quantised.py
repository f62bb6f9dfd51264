"""Recognise quantised tensors that can't be decoded, and count the weights they hold."""

from __future__ import annotations

import re
from collections.abc import Mapping

from wqscore.checkpoints.tensor import Tensor
from wqscore.matrices.gated import Shape
from wqscore.matrices.model_config import ModelConfig

_SCALE_SUFFIXES = ("_scale", "_scale_inv", ".absmax", "_scales", ".scale")
#: Names of tensors that pack several weights into each element.
_PACKED = re.compile(r"(?P<layer>(?s:.*))(\.(qweight|weight_packed|W_q)|_blocks)")
_USUAL_BITS = 4


def scaled_elsewhere(tensor: Tensor, shapes: Mapping[str, Shape]) -> str | None:
    """Find the tensor that holds this tensor's scales; `None` if there is none."""
    stem = tensor.name.removesuffix(".weight")
    candidates = [f"{tensor.name}{suffix}" for suffix in _SCALE_SUFFIXES] + [f"{stem}.SCB", f"{stem}.scales"]
    return next((name for name in candidates if name in shapes), None)


def stored_weights(tensor: Tensor, config: ModelConfig, shapes: Mapping[str, Shape]) -> int:
    """Count the weights of a tensor; a packed one holds several in each element."""
    if f"{tensor.name}.absmax" in shapes and tensor.shape[-1] == 1:
        # bitsandbytes packs four-bit codes into one column, whatever the element type.
        return tensor.parameters * tensor.dtype.bits // 4
    packed = _PACKED.fullmatch(tensor.name)
    if packed is None or tensor.dtype.kind != "quantised":
        return tensor.parameters
    bits = _bits_by_zero_points(packed["layer"], shapes) or _bits_by_config(config) or _USUAL_BITS
    return tensor.parameters * tensor.dtype.bits // bits


def _bits_by_zero_points(layer: str, shapes: Mapping[str, Shape]) -> int | None:
    """Bits per weight in GPTQ and AWQ, which pack zero points like weights and store a scale for each zero point."""
    zeros, scales = shapes.get(f"{layer}.qzeros", ()), shapes.get(f"{layer}.scales", ())
    if len(zeros) != 2 or len(scales) != 2 or not scales[1]:
        return None
    bits, rest = divmod(32 * zeros[1], scales[1])
    return bits if rest == 0 and bits in {2, 3, 4, 8} else None


def _bits_by_config(config: ModelConfig) -> int | None:
    method = config.nested("quantization_config")
    groups = method.nested("config_groups")
    schemes = [groups.nested(name).nested("weights").integer("num_bits") for name in groups.file]
    bits = method.integer("bits", "w_bit") or next((found for found in schemes if found), None)
    return bits if bits is not None and bits <= 8 else None

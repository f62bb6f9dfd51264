"""Quantised weights: recognised by type and name, counted, and never read as if they were the weights."""

from __future__ import annotations

import re
from collections.abc import Collection

from wqscore.checkpoints.tensor import TensorRef
from wqscore.matrices.model_config import ModelConfig

#: What stands beside a quantised tensor: scales, zero points, codebooks.
_COMPANION = re.compile(
    r"(\.(scales?|qzeros|g_idx|SCB|absmax|nested_absmax|quant_map|nested_quant_map|quant_state\.\w+|weight_format"
    r"|weight_scale\w*|weight_zero_point|weight_shape|weight_g_idx|input_scale\w*|zeros?|zero_point|meta)"
    r"|_(scales|scale_inv|scale))$"
)
_SCALE_SUFFIXES = ("_scale", "_scale_inv", ".absmax", "_scales", ".scale")
_PACKED_BITS = 4


def is_companion(tensor: TensorRef) -> bool:
    """Whether a tensor's name is that of a scale, zero point or codebook of a quantised one."""
    return _COMPANION.search(tensor.name) is not None


def scaled_elsewhere(tensor: TensorRef, names: Collection[str]) -> str | None:
    """The name of the tensor that holds the scales of this one, or `None`."""
    stem = tensor.name.removesuffix(".weight")
    candidates = [f"{tensor.name}{suffix}" for suffix in _SCALE_SUFFIXES] + [f"{stem}.SCB", f"{stem}.scales"]
    return next((name for name in candidates if name in names), None)


def stored_weights(tensor: TensorRef, config: ModelConfig) -> int:
    """How many weights a quantised tensor stands for: a packed one holds several in each element."""
    method = config.file.get("quantization_config")
    bits = method.get("bits") if isinstance(method, dict) else None
    packed = bits if type(bits) is int and 0 < bits <= 8 else _PACKED_BITS
    last = tensor.name.rsplit(".", 1)[-1]
    is_packed = last in {"qweight", "weight_packed"} or last.endswith("_blocks") or tensor.shape[-1:] == (1,)
    if is_packed and tensor.dtype.kind == "quantised":
        return tensor.parameters * tensor.dtype.bits // packed
    return tensor.parameters


def method_name(config: ModelConfig) -> str:
    """The method that `quantization_config` names, for messages; empty without one."""
    method = config.file.get("quantization_config")
    value = method.get("quant_method") if isinstance(method, dict) else None
    return f" ({value})" if isinstance(value, str) else ""

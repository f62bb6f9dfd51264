"""Recognise the companions of quantised weights (scales, zero points, codebooks) by name, for every format."""

from __future__ import annotations

import re
from collections.abc import Container

from wqscore.checkpoints.tensor import Tensor

#: Names of scales, zero points, codebooks and column orders.
_COMPANION = re.compile(
    r"(\.(scales?|qzeros|qbiases|centroids|zeros?|zero_point|g_idx|SCB|codebooks|meta|weight_format|weight_integer"
    r"|absmax|nested_absmax|quant_map|nested_quant_map|quant_state\.[^.]+"
    r"|weight_scale\w{0,20}|weight_zero_point|weight_shape|weight_g_idx|input_scale\w{0,20}"
    r"|weight_global_scale|input_global_scale|pre_quant_scale|_scale|_weight_scale|_weight_zero_point)"
    r"|_(scales|scale_inv|scale|shift|weight_scale_2))$"
)


def is_companion(tensor: Tensor) -> bool:
    """Whether a tensor's name is that of a scale, zero point or codebook of a quantised one."""
    return not tensor.name.endswith(".weight") and _COMPANION.search(tensor.name) is not None


def layer_name(name: str) -> str:
    """The layer's part of the name of a weight or companion.

    Example:
        >>> layer_name("lm_head.weight.absmax"), layer_name("lm_head.qzeros")
        ('lm_head', 'lm_head')
    """
    return name.partition(".weight.")[0] if ".weight." in name else name.rpartition(".")[0]


def has_scales(name: str, names: Container[str]) -> bool:
    """Whether MLX's `scales` stand beside a tensor."""
    return f"{name.rpartition('.')[0]}.scales" in names

"""Recognise the companions of quantised weights (scales, zero points, codebooks) by name, for every format."""

from __future__ import annotations

import re

from wqscore.checkpoints.tensor import Tensor

#: Names of scales, zero points, codebooks and column orders.
_COMPANION = re.compile(
    r"(\.(scales?|qzeros|qbiases|centroids|zeros?|zero_point|g_idx|SCB|codebooks|meta|weight_format|weight_integer"
    r"|absmax|nested_absmax|quant_map|nested_quant_map|quant_state\.[^.]+"
    r"|weight_scale\w{0,20}|weight_zero_point|weight_shape|weight_g_idx|input_scale\w{0,20})"
    r"|_(scales|scale_inv|scale|shift))$"
)


def is_companion(tensor: Tensor) -> bool:
    """Whether a tensor's name is that of a scale, zero point or codebook of a quantised one."""
    return not tensor.name.endswith(".weight") and _COMPANION.search(tensor.name) is not None

"""Plan the decoding of a checkpoint's quantised tensors, trying every format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from wqscore.checkpoints.decoding import Decoding, Refusal, with_decoded
from wqscore.checkpoints.quantised import awq, bitsandbytes, compressed_tensors, fp8, gptq, mlx, modelopt, mxfp4
from wqscore.checkpoints.quantised.companions import is_companion, layer_name
from wqscore.checkpoints.quantised.settings import method_name
from wqscore.checkpoints.quantised.unexplained import unexplained
from wqscore.checkpoints.tensor import Tensor, TensorRef

_FORMATS = (compressed_tensors, gptq, awq, bitsandbytes, mxfp4, mlx, modelopt, fp8)


def dequantised(tensors: Sequence[TensorRef], config: Mapping[str, Any]) -> tuple[Tensor, ...]:
    """Replace quantised codes by the weights they decode to; other tensors stay unchanged.

    Args:
        tensors: the stored tensors.
        config: the parsed `config.json`.

    Raises:
        CheckpointError: a file ends inside one of the small tensors that describe how others are stored.
    """
    named = method_name(config)
    left = {tensor.name: tensor for tensor in tensors}
    decodings: list[Decoding] = []
    refusals: list[Refusal] = []
    for method in _FORMATS:
        decoded, refused = method.plan_decoding(left, config)
        decodings += decoded
        refusals += [replace(each, reason=f"quantised{named}: {each.reason}") for each in refused]
        claimed = {part.name for decoding in decoded for part in decoding.parts} | {each.name for each in refused}
        left = {name: tensor for name, tensor in left.items() if name not in claimed}
    refusals += [Refusal(each.name, f"quantised: {each.reason}") for each in unexplained(left, config)]
    layers = {layer_name(decoding.parts[0].name): decoding.name for decoding in decodings}
    beside = {
        name: layers[layer_name(name)] for name in left if is_companion(left[name]) and layer_name(name) in layers
    }
    return with_decoded(tensors, decodings, refusals, beside)

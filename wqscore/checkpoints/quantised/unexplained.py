"""Name what is missing where codes are of a known packing and no configuration says how to read them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from wqscore.checkpoints.decoding import Refusal
from wqscore.checkpoints.quantised.settings import quantisation_settings
from wqscore.checkpoints.tensor import TensorRef

#: The last part of the codes' name, that of what stands beside them, the packing, and the files that describe it.
_PACKINGS = (
    ("qweight", "qzeros", "GPTQ's or AWQ's packing", "quantize_config.json or quant_config.json"),
    ("weight", "weight_scale_2", "Model Optimizer's packing", "hf_quant_config.json"),
    ("weight_packed", "weight_scale", "compressed-tensors' packing", ""),
)


def unexplained(tensors: Mapping[str, TensorRef], config: Mapping[str, Any]) -> list[Refusal]:
    """Refuse codes of a known packing in a checkpoint whose configuration has no settings of a quantisation.

    Args:
        tensors: the stored tensors that no format has claimed, by name.
        config: the parsed `config.json`, of any content.
    """
    if any(True for _ in quantisation_settings(config)):
        return []
    return [refusal for name in tensors for refusal in _refusals(name, tensors)]


def _refusals(name: str, tensors: Mapping[str, TensorRef]) -> Iterator[Refusal]:
    module, _, last = name.rpartition(".")
    for codes, beside, packing, files in _PACKINGS:
        stored = f"{module}.{beside}"
        if last == codes and tensors[name].dtype.kind == "quantised" and stored in tensors:
            where = f"config.json has no quantization_config{f', and {files} is missing' if files else ''}"
            yield Refusal(name, f"codes in {packing}, but {where}")

"""Tell which of the packings in 32-bit words a checkpoint has: GPTQ's, with either kind of zero points, or AWQ's.

Several tools write these packings, each under the name of its own method. Shapes tell GPTQ's from AWQ's. Whether zero
points are stored minus one is told by the configuration, or by those of symmetric codes, which are all in the middle.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from wqscore.checkpoints.quantised.settings import named, quantisation_settings
from wqscore.checkpoints.tensor import TensorRef
from wqscore.errors import CheckpointError

CODES = ".qweight"
_GPTQ = frozenset({"gptq", "gptqmodel", "auto-gptq", "autogptq"})
_AWQ = frozenset({"awq", "auto-awq", "autoawq"})
_AUTO_ROUND = frozenset({"auto-round", "autoround", "intel/auto-round"})
#: auto-round's packings. Its own is GPTQ's with zero points as they are, in `inference/backend.py` GPTQ_FORMAT_NO_ZP.
_PACKINGS = {
    **dict.fromkeys(("auto_gptq", "gptq"), ("gptq", "gptq")),
    **dict.fromkeys(("auto_round", "gptqmodel"), ("gptq", "gptq_v2")),
    **dict.fromkeys(("auto_awq", "awq"), ("awq", "gemm")),
}
#: Keys of quantize_config.json by which a file that names no method is AutoGPTQ's.
_KEYS_OF_GPTQ = frozenset({"desc_act", "static_groups", "damp_percent", "true_sequential", "sym"})


@dataclass(frozen=True)
class Packing:
    """How the words of a checkpoint are packed, as its configuration says.

    Attributes:
        settings: the settings of the method.
        family: `gptq` or `awq`.
        version: the layout: `gptq`, `gptq_v2`, `gemm`, or another, which is not read; empty if it isn't said.
    """

    settings: Mapping[str, Any]
    family: str
    version: str


def packing_of(config: Mapping[str, Any]) -> Packing | None:
    """Read how words are packed, by whichever method; `None` if the configuration names no method that packs so."""
    return next((found for each in quantisation_settings(config) if (found := _packing(each))), None)


def layers_of(tensors: Mapping[str, TensorRef], family: str, packing: Packing) -> Iterator[str]:
    """Yield the layers whose codes have a family's shapes; those with neither family's are the configured one's."""
    for name in tensors:
        layer = name.removesuffix(CODES)
        if layer != name and (_family(layer, tensors) or packing.family) == family:
            yield layer


def symmetric_version(zeros: TensorRef, bits: int) -> str:
    """Tell from the first word of zero points whether they are stored minus one; empty if it doesn't show.

    The codes of a symmetric quantisation have their zero in the middle, at 2^(b−1).
    """
    middle = 2 ** (bits - 1)
    try:
        word = int(replace(zeros, shape=(1,), strides=None).read()[0]) & 0xFFFFFFFF
    except CheckpointError:
        return ""
    for version, zero in (("gptq", middle - 1), ("gptq_v2", middle)):
        if word == sum(zero << shift for shift in range(0, 32, bits)) & 0xFFFFFFFF:
            return version
    return ""


def _packing(settings: Mapping[str, Any]) -> Packing | None:
    method = named(settings, "quant_method", default="").replace("_", "-")
    if method in _GPTQ:
        version = named(settings, "checkpoint_format", "format", default="gptq")
        # AutoGPTQ wrote this flag before it named its layouts.
        return Packing(settings, "gptq", "marlin" if settings.get("is_marlin_format") is True else version)
    if method in _AWQ:
        return Packing(settings, "awq", named(settings, "version", "format", "checkpoint_format", default="gemm"))
    if method in _AUTO_ROUND or (not method and "packing_format" in settings):
        packing = named(settings, "packing_format", "backend", default="").rpartition(":")[2]
        return Packing(settings, *_PACKINGS.get(packing, ("gptq", packing)))
    if method:
        return None
    if "w_bit" in settings or "zero_point" in settings:
        return Packing(settings, "awq", named(settings, "version", default="gemm"))
    if "bits" in settings and _KEYS_OF_GPTQ & settings.keys():
        return Packing(settings, "gptq", named(settings, "checkpoint_format", "format", default="gptq"))
    return None


def _family(layer: str, tensors: Mapping[str, TensorRef]) -> str:
    """The family whose shapes a layer has; empty if it has neither's."""
    stored = [tensors.get(f"{layer}.{part}") for part in ("qweight", "qzeros", "scales")]
    shapes = [tensor.shape for tensor in stored if tensor is not None and len(tensor.shape) == 2]
    if len(shapes) < 3:
        return ""
    codes, zeros, scales = shapes
    if codes[1] == scales[1] and zeros[0] == scales[0]:
        return "gptq"
    if codes[1] == zeros[1] and 8 * codes[1] == scales[1] and zeros[0] == scales[0]:
        return "awq"
    return ""

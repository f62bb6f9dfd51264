"""Where the scale of low-rank updates is stored, other than in a tensor: configurations and files' metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from wqscore.checkpoints.adapters.lora_weight import SCALE_ASSUMED, Scale, Scaling
from wqscore.checkpoints.adapters.named import Scalings, unknown_scale
from wqscore.checkpoints.adapters.settings import config_scaling, lora_settings
from wqscore.checkpoints.safetensors import read_metadata
from wqscore.checkpoints.tensor import Tensor, TensorRef
from wqscore.errors import CheckpointError

#: llama.cpp's metadata key of alpha, under which a GGUF adapter's configuration keeps it.
GGUF_ALPHA = "adapter.lora.alpha"
_DIFFUSERS = "lora_adapter_metadata"


def stored_scalings(
    tensors: Sequence[Tensor], config: Mapping[str, Any], adapter_config: Mapping[str, Any]
) -> Scalings:
    """The scales of updates whose alpha is not among the tensors: 1 where nothing tells.

    Args:
        tensors: the tensors of a checkpoint; the metadata of their safetensors files are read when layers are.
        config: the checkpoint's configuration.
        adapter_config: the parsed `adapter_config.json`, `{}` without one.

    Raises:
        CheckpointError: from the returned function, where a setting is invalid.
    """

    def scalings(layers: list[str]) -> Scaling:
        return (_of_config(adapter_config) or _of_file(tensors, config))(layers)

    return scalings


def is_of_mlx(adapter_config: Mapping[str, Any]) -> bool:
    """Whether MLX wrote an `adapter_config.json`: it stores A as (in, r) and B as (r, out)."""
    return "lora_parameters" in adapter_config or "fine_tune_type" in adapter_config


def _of_config(config: Mapping[str, Any]) -> Scalings | None:
    """The scales by a configuration: peft's keys, or MLX's `lora_parameters`, whose `scale` is s itself."""
    parameters = config.get("lora_parameters")
    scale = parameters.get("scale") if isinstance(parameters, dict) else None
    if isinstance(scale, int | float) and not isinstance(scale, bool) and isfinite(scale):
        return lambda layers: lambda layer, rank: Scale(float(scale), "scale=stored")
    if config.get("lora_alpha") is None:
        return None
    settings = lora_settings(config)
    return lambda layers: config_scaling(settings, layers, flagged=True)


def _of_file(tensors: Sequence[Tensor], config: Mapping[str, Any]) -> Scalings:
    """The scales by what a file says of itself: GGUF's alpha, or the settings that diffusers writes into it."""
    alpha = config.get(GGUF_ALPHA)
    if isinstance(alpha, int | float) and isfinite(alpha) and alpha:
        return lambda layers: lambda layer, rank: Scale(alpha / rank, "scale=alpha/r")
    stored = [tensor for tensor in tensors if isinstance(tensor, TensorRef) and tensor.file.suffix == ".safetensors"]
    for tensor in {tensor.file: tensor for tensor in stored}.values():
        if text := read_metadata(tensor).get(_DIFFUSERS):
            return _of_components(text, str(tensor.file))
    return unknown_scale


def _of_components(text: str, where: str) -> Scalings:
    """The scales by peft's settings of each component, prefixed with its name: `unet.r`, `unet.lora_alpha`."""
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise CheckpointError(f"{where}: its {_DIFFUSERS} is not a JSON object: save the adapter again")
    by_component: dict[str, dict[str, Any]] = {}
    for key, value in fields.items():
        component, _, setting = key.rpartition(".")
        by_component.setdefault(component, {})[setting] = value

    def scalings(layers: list[str]) -> Scaling:
        found: dict[str, tuple[Scaling, str]] = {}
        for component, config in by_component.items():
            if config.get("lora_alpha") is not None:
                own = {layer: _inside(layer, component) for layer in layers if _inside(layer, component)}
                try:
                    scaling = config_scaling(lora_settings(config), list(own.values()), flagged=True)
                except CheckpointError as error:
                    reason = str(error).removeprefix("adapter_config.json: ")
                    raise CheckpointError(f"{where}: {_DIFFUSERS}: {reason}") from error
                found |= {layer: (scaling, name) for layer, name in own.items()}

        def scale(layer: str, rank: int) -> Scale | str:
            if layer not in found:
                return Scale(1.0, SCALE_ASSUMED)
            scaling, name = found[layer]
            return scaling(name, rank)

        return scale

    return scalings


def _inside(layer: str, component: str) -> str:
    """A layer's name inside a component, empty if it belongs to another; without a component its own name."""
    if not component:
        return layer
    return layer.removeprefix(f"{component}.") if layer.startswith(f"{component}.") else ""

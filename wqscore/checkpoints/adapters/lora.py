"""Plan the LoRA adapters of an `adapter_config.json`: which weights of the base they change, and by what ΔW.

An adapted layer X of the base has `base_model.model.X.lora_A.weight` and `….lora_B.weight`, an embedding
`….lora_embedding_A` and `…_B`; files written during training keep the adapter's name after A and B. Anything else
that was trained, such as a new head, is stored whole.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wqscore.checkpoints.adapters.factor_names import factor_name
from wqscore.checkpoints.adapters.lora_weight import LoraWeight, Scaling, lora_weight
from wqscore.checkpoints.adapters.settings import base_changed, config_scaling, lora_settings, not_lora
from wqscore.checkpoints.decoding import Refusal
from wqscore.checkpoints.tensor import Tensor

PREFIX = "base_model.model."
_TOKENS = "trainable_tokens_delta"
_COPY = re.compile(r"\.modules_to_save(\.[^.]+(?=\.))?(?=\.)")
#: Kinds of LoRA by the parameter that plain LoRA lacks.
_VARIANTS = {"magnitude_vector": "DoRA", "E": "AdaLoRA", "mid": "LoCon in Tucker form (lora_mid)"}
_WRAPPED = re.compile(r"\.base_layer(?=\.|$)")


@dataclass(frozen=True)
class Adapter:
    """How an adapter changes its base.

    Attributes:
        weights: the weights it changes by ΔW, in the order of the stored tensors.
        replaced: the tensors it stores whole, by their name in the base: new heads, trained biases, resized
            embeddings. A name that is also in `weights` is peft's copy of the base's embedding, to which ΔW is added.
        refusals: the stored tensors that can't be read.
        base_changed: why W + ΔW is not the trained weight, though ΔW is correct; `None` if it is.
    """

    weights: tuple[LoraWeight, ...]
    replaced: Mapping[str, Tensor]
    refusals: tuple[Refusal, ...]
    base_changed: str | None


def plan_adapter(tensors: Mapping[str, Tensor], adapter_config: Mapping[str, Any]) -> Adapter:
    """Find what a LoRA adapter changes, from the headers alone.

    Args:
        tensors: the adapter's stored tensors by name.
        adapter_config: the parsed `adapter_config.json`, of any content.

    Raises:
        CheckpointError: a setting is invalid, or a pattern's syntax is not supported.
    """
    if reason := not_lora(adapter_config):
        return Adapter((), {}, tuple(Refusal(name, reason) for name in tensors), None)
    settings = lora_settings(adapter_config)
    layers: dict[tuple[str, str | None], dict[str, Tensor]] = {}
    refusals: list[Refusal] = []
    replaced: dict[str, Tensor] = {}
    for tensor in tensors.values():
        name = tensor.name.removeprefix(PREFIX)
        found = factor_name(name)
        if name.endswith(_TOKENS):
            refusals.append(Refusal(tensor.name, "single tokens of an embedding trained: not read"))
        elif found is None:
            refusals += _put(replaced, _COPY.sub("", _bare(name)), tensor)
        elif found.is_bias:
            refusals += _put(replaced, name, tensor)
        else:
            parts = layers.setdefault((found.layer, found.adapter), {})
            refusals += _put(parts, found.part, tensor)
    scaling = config_scaling(settings, list(dict.fromkeys(layer for layer, _ in layers)))
    targets = _parameter_owners(adapter_config)
    weights: dict[str, LoraWeight] = {}
    for (layer, _), parts in layers.items():
        made = _weight(layer, parts, scaling, settings.fan_in_fan_out, targets)
        if isinstance(made, str):
            refusals += [Refusal(tensor.name, made) for tensor in parts.values()]
        elif made.name in weights:
            refusals += [
                Refusal(part.name, f"a second adapter of {made.name}: save each by itself") for part in made.parts
            ]
        else:
            weights[made.name] = made
    return Adapter(tuple(weights.values()), replaced, tuple(refusals), base_changed(adapter_config))


def why_not_plain(layer: str, parts: Mapping[str, Tensor]) -> str | None:
    """Why the parameters of a layer are not those of plain LoRA; `None` if they are."""
    if named := next((kind for part, kind in _VARIANTS.items() if part in parts), None):
        return f"{named}: only plain LoRA is read"
    if _bare(layer) != layer:
        return "inside a layer that peft wraps as a whole, such as torch's MultiheadAttention: peft adds it twice"
    factors = parts.keys() - {"alpha"}
    if factors in ({"A", "B"}, {"embedding_A", "embedding_B"}):
        return None
    if factors <= {"A", "B", "embedding_A", "embedding_B"}:
        return "LoRA's A without its B, or B without its A"
    return "an adapted layer with more than A and B: only plain LoRA is read"


def _bare(name: str) -> str:
    """A name without the `base_layer` of peft's wrappers, as the base has it."""
    return _WRAPPED.sub("", name)


def _put(kept: dict[str, Tensor], key: str, tensor: Tensor) -> list[Refusal]:
    """Store a tensor under a key unless the key is taken; then refuse the tensor."""
    if key in kept:
        return [Refusal(tensor.name, f"stored twice, here and as {kept[key].name}")]
    kept[key] = tensor
    return []


def _parameter_owners(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Suffixes of the names of layers whose bare parameters are adapted (`target_parameters`), such as experts."""
    names = config.get("target_parameters")
    texts = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
    return tuple(f".{name.rpartition('.')[0]}" for name in texts)


def _weight(
    layer: str, parts: Mapping[str, Tensor], scaling: Scaling, fan_in_fan_out: bool, targets: tuple[str, ...]
) -> LoraWeight | str:
    if "magnitude_vector" not in parts and f".{_bare(layer)}".endswith(targets):
        return "an adapted bare parameter (target_parameters), such as a stack of experts: not read"
    return why_not_plain(layer, parts) or lora_weight(layer, parts, scaling, fan_in_fan_out)

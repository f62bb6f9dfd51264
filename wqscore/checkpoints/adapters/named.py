"""Find low-rank updates by the names of their factors, in a file of their own or inside a model."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from wqscore.checkpoints.adapters.factor_names import FactorName, companions_of, factor_name, other_adapter
from wqscore.checkpoints.adapters.lora import PREFIX, Adapter, why_not_plain
from wqscore.checkpoints.adapters.lora_weight import SCALE_ASSUMED, LoraWeight, Scale, Scaling, lora_weight
from wqscore.checkpoints.decoding import Refusal
from wqscore.checkpoints.tensor import Tensor

#: Gives the scale of each layer, from the names of all layers.
Scalings = Callable[[list[str]], Scaling]

_FACTORS = frozenset({"A", "B", "embedding_A", "embedding_B"})
_STRAIGHT, _TURNED, _TOKENS_TURNED = (False, False), (True, True), (True, False)
_UNTOLD = "LoRA of square factors that trainers store in either orientation: add its adapter_config.json"
_COPY = re.compile(r"(?s)(?P<module>.+)\.modules_to_save\.(?P<adapter>[^.]+)\.(?P<parameter>\w+)")


@dataclass
class NamedUpdates:
    """The updates among some tensors, found by name.

    Attributes:
        weights: by layer, the weight that each adapter changes, by the adapter's name.
        parts: by layer, the stored tensors of all its updates.
        reasons: by name of a stored tensor, why it can't be read.
        others: the tensors that belong to no update.
    """

    weights: dict[str, dict[str | None, LoraWeight]] = field(default_factory=dict)
    parts: dict[str, list[Tensor]] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    others: list[Tensor] = field(default_factory=list)


def unknown_scale(layers: list[str]) -> Scaling:
    """The scale of updates that are stored without alpha: 1."""
    return lambda layer, rank: Scale(1.0, SCALE_ASSUMED)


def find_updates(
    tensors: Sequence[Tensor], scalings: Scalings = unknown_scale, turned: bool = False
) -> NamedUpdates | None:
    """Find the low-rank updates among tensors by their names.

    Args:
        tensors: the tensors of a file or checkpoint.
        scalings: gives the scales of updates whose alpha is not among the tensors.
        turned: whether factors that trainers store in either orientation are stored as (in, r) and (r, out).

    Returns:
        The updates; `None` if no tensor is part of an adapter.
    """
    by_name = {tensor.name: tensor for tensor in tensors if not tensor.part_of}
    layers: dict[tuple[str, str | None], dict[str, Tensor]] = {}
    either_way: set[tuple[str, str | None]] = set()
    found = NamedUpdates()
    for name, tensor in by_name.items():
        if kind := other_adapter(name):
            found.reasons[name] = f"{kind}: only LoRA is read"
        elif (read := factor_name(name)) is not None and not read.is_bias:
            _put(layers.setdefault((read.layer, read.adapter), {}), read, tensor, found.reasons)
            if read.either_way:
                either_way.add((read.layer, read.adapter))
    layers = {key: parts for key, parts in layers.items() if parts.keys() & _FACTORS}
    if not layers and not found.reasons:
        return None
    for (layer, adapter), parts in layers.items():
        names = companions_of(layer, (layer, adapter) in either_way)
        more = {part: by_name[name] for name, part in names if name in by_name}
        parts |= {part: tensor for part, tensor in more.items() if part not in parts}
    way = _TURNED if turned else _orientation([layers[key] for key in either_way if key in layers])
    scaling = scalings(list(dict.fromkeys(layer.removeprefix(PREFIX) for layer, _ in layers)))
    for (layer, adapter), parts in layers.items():
        turn = way if (layer, adapter) in either_way else _tokens_turned(layer, parts)
        made = _made(layer, parts, scaling, turn)
        found.parts.setdefault(layer, []).extend(parts.values())
        if isinstance(made, str):
            found.reasons |= {part.name: made for part in parts.values()}
        else:
            found.weights.setdefault(layer, {})[adapter] = made
    taken = {part.name for parts in found.parts.values() for part in parts} | found.reasons.keys()
    found.others = [tensor for tensor in tensors if tensor.part_of or tensor.name not in taken]
    return found


def named_adapter(found: NamedUpdates) -> Adapter:
    """The updates of a file of their own as an adapter, to be merged into its base."""
    weights: dict[str, LoraWeight] = {}
    refusals = [Refusal(name, reason) for name, reason in found.reasons.items()]
    for layer, each in found.weights.items():
        name = usual_name(f"{layer}.weight")
        if len(each) > 1:
            reason = f"{len(each)} adapters of {name}: save the one to merge by itself"
            refusals += [Refusal(part.name, reason) for weight in each.values() for part in weight.parts]
        for weight in each.values() if len(each) == 1 else ():
            weights[name] = weight.named(name)
    replaced = {usual_name(tensor.name): tensor for tensor in found.others if not tensor.part_of}
    return Adapter(tuple(weights.values()), replaced, tuple(refusals), None)


def usual_name(name: str) -> str:
    """The name of a tensor in the model that an adapter was trained for, without what peft adds to it.

    Example:
        >>> usual_name("base_model.model.h.0.attn.base_layer.weight")
        'h.0.attn.weight'
    """
    name = name.removeprefix(PREFIX).replace(".base_layer.", ".")
    copy = _COPY.fullmatch(name)
    return f"{copy['module']}.{copy['parameter']}" if copy else name


def _put(parts: dict[str, Tensor], read: FactorName, tensor: Tensor, reasons: dict[str, str]) -> None:
    if read.part in parts:
        reasons[tensor.name] = f"stored twice, here and as {parts[read.part].name}"
    else:
        parts[read.part] = tensor


def _made(
    layer: str, parts: Mapping[str, Tensor], scaling: Scaling, turn: tuple[bool, bool] | None
) -> LoraWeight | str:
    if reason := why_not_plain(layer, parts):
        return reason
    if layer.rpartition(".")[2] == "experts":
        return "LoRA of a stack of experts: not read"
    if turn is None:
        return _UNTOLD
    return lora_weight(layer, parts, lambda name, rank: scaling(name.removeprefix(PREFIX), rank), turned=turn)


def _orientation(layers: Iterable[Mapping[str, Tensor]]) -> tuple[bool, bool] | None:
    """How the factors of one file are stored, which trainers of the spelling disagree on; `None` if nothing tells.

    torch's A is (r, in) and its B (out, r), MLX's (in, r) and (r, out). Factors of a square weight fit both; the rank
    is then the smaller side.
    """
    votes = set()
    for parts in layers:
        a, b = (parts[part].shape if part in parts else () for part in "AB")
        if len(a) != 2 or len(b) != 2:
            continue
        straight, turned = a[0] == b[1], a[1] == b[0]
        if straight != turned:
            votes.add(turned)
        elif straight and a[0] != a[1]:
            votes.add(a[0] > a[1])
    if len(votes) == 1:
        return _TURNED if votes.pop() else _STRAIGHT
    return None


def _tokens_turned(layer: str, parts: Mapping[str, Tensor]) -> tuple[bool, bool]:
    """llama.cpp stores A of the token embedding as (tokens, r)."""
    shapes = [parts[part].shape if part in parts else () for part in "AB"]
    if layer.endswith("embed_tokens") and all(len(shape) == 2 for shape in shapes):
        a, b = shapes
        return _TOKENS_TURNED if a[1] == b[1] and a[0] != b[1] else _STRAIGHT
    return _STRAIGHT

"""Merge an adapter into its base: plan the weights W + ΔW."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from wqscore.checkpoints.adapters.lora import Adapter
from wqscore.checkpoints.adapters.lora_weight import LoraWeight
from wqscore.checkpoints.decoding import Decoding, Refusal
from wqscore.checkpoints.tensor import Tensor

Shape = tuple[int, ...]

_BLOCK = re.compile(r"(?s).*?\.[0-9]+\.")


def base_names(wanted: Iterable[str], base: Iterable[str]) -> dict[str, str]:
    """Find the names that weights have in the base's checkpoint.

    A checkpoint of the bare model lacks the first part of the names (`transformer.`, `model.`) that a model with a
    head has, or has one more. torch's attention stores its joint weight as `in_proj_weight`.

    Returns:
        The name in the base by wanted name; a name without a match, or with several, is left out.

    Example:
        >>> base_names(["transformer.h.0.mlp.c_fc.weight"], ["h.0.mlp.c_fc.weight"])
        {'transformer.h.0.mlp.c_fc.weight': 'h.0.mlp.c_fc.weight'}
    """
    stored = set(base)
    shortened: dict[str, list[str]] = {}
    for name in stored:
        shortened.setdefault(name.partition(".")[2], []).append(name)
    found = {}
    for name in wanted:
        joint = f"{name.removesuffix('weight')}in_proj_weight"
        longer = shortened.get(name, [])
        candidates = [name, joint, name.partition(".")[2], *(longer if len(longer) == 1 else [])]
        match = next((candidate for candidate in candidates if candidate in stored), None)
        if match is not None:
            found[name] = match
    return found


def plan_merged(adapter: Adapter, base: Mapping[str, Tensor]) -> tuple[list[Decoding], list[Refusal]]:
    """Plan the merged weights of an adapter and its base.

    Args:
        adapter: the adapter.
        base: the base's tensors by name.

    Returns:
        For each of the adapter's weights, either the merged weight, named as in the base and decoded from W, A and
        B, or the refusal of its A, with the reason. W is the adapter's own copy if it stores one.
    """
    names = base_names([weight.name for weight in adapter.weights], base)
    conv1d = stored_transposed({name: tensor.shape for name, tensor in base.items()})
    decodings: list[Decoding] = []
    refusals: list[Refusal] = []
    used: set[str] = set()
    for weight in adapter.weights:
        name = names.get(weight.name)
        if adapter.base_changed:
            refusals.append(Refusal(weight.a.name, f"not merged: {adapter.base_changed}"))
            continue
        if name is None or name in used:
            reason = f"the base has no {weight.name}" if name is None else f"{name} is changed twice"
            refusals.append(Refusal(weight.a.name, reason))
            continue
        stored = adapter.replaced.get(weight.name, base[name])
        fits = fitted(weight, stored.shape, conv1d.get(block_of(name)))
        if stored.dtype.kind != "float" or fits is None:
            kind = "floats" if fits else " × ".join(map(str, weight.shape))
            refusals.append(Refusal(weight.a.name, f"the base's {name} is not of {kind}: is it the adapter's base?"))
            continue
        used.add(name)
        decodings.append(replace(fits.merged_with(stored), name=name))
    return decodings, refusals


def fitted(weight: LoraWeight, shape: Shape, conv1d: bool | None) -> LoraWeight | None:
    """Transpose the adapter's weight if the base stores it so; `None` if neither orientation fits.

    peft saves one `fan_in_fan_out` for all layers though they may differ, so the base's shapes decide first.
    """
    square = len(shape) == 2 and shape[0] == shape[1]
    is_embedding = "lora_embedding_" in weight.a.name
    turn = not is_embedding and square and conv1d is not None and conv1d != weight.transposed
    if weight.shape == shape and not turn:
        return weight
    if (
        _without_ones(weight.shape) == _without_ones(shape)
        and not weight.transposed
        and len(weight.shape) != len(shape)
    ):
        # A linear layer and a convolution of one position are the same.
        return replace(weight, shape=shape)
    if len(shape) == 2 and weight.shape == shape[::-1] and not is_embedding:
        return replace(weight, shape=shape, transposed=not weight.transposed)
    return None


def _without_ones(shape: Shape) -> Shape:
    """A shape without the axes of size 1 after its first two."""
    return (*shape[:2], *(size for size in shape[2:] if size > 1))


def stored_transposed(shapes: Mapping[str, Shape]) -> dict[str, bool]:
    """Whether each block stores its weights (in, out): a bias is as long as the outputs of a non-square weight."""
    found: dict[str, bool] = {}
    for name, shape in shapes.items():
        bias = shapes.get(f"{name.removesuffix('weight')}bias")
        if (
            name.endswith(".weight")
            and len(shape) == 2
            and shape[0] != shape[1]
            and bias in ((shape[0],), (shape[1],))
        ):
            found[block_of(name)] = bias == (shape[1],)
    return found


def block_of(name: str) -> str:
    """A name up to its first number, `h.3.`; empty without one."""
    found = _BLOCK.match(name)
    return found[0] if found else ""

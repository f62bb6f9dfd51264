"""Open an adapter's folder, alone as its ΔW or merged into its base."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from wqscore.checkpoints.adapters.lora import Adapter, plan_adapter
from wqscore.checkpoints.adapters.merging import base_names, plan_merged
from wqscore.checkpoints.decoding import DecodedTensor, with_decoded
from wqscore.checkpoints.local import read_config, read_file
from wqscore.checkpoints.tensor import Tensor, TensorRef
from wqscore.errors import CheckpointError

ADAPTER_CONFIG = "adapter_config.json"
#: In order of preference, as in peft.
ADAPTER_WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")


@dataclass(frozen=True)
class StoredAdapter:
    """An adapter and the tensors that its file holds."""

    adapter: Adapter
    tensors: tuple[TensorRef, ...]


def open_adapter(folder: Path) -> StoredAdapter:
    """Read an adapter's settings and headers.

    Raises:
        CheckpointError: not an adapter's folder, or a file is damaged.
    """
    weights = next((folder / name for name in ADAPTER_WEIGHTS if (folder / name).is_file()), None)
    if weights is None or not (folder / ADAPTER_CONFIG).is_file():
        missing = ADAPTER_CONFIG if weights else ADAPTER_WEIGHTS[0]
        raise CheckpointError(f"{folder}: has no {missing}: is this the folder of an adapter that peft saved?")
    tensors = read_file(weights)
    try:
        adapter = plan_adapter({tensor.name: tensor for tensor in tensors}, read_config(folder / ADAPTER_CONFIG))
    except CheckpointError as error:
        raise CheckpointError(f"{folder}: {error}") from error
    return StoredAdapter(adapter, tensors)


def open_change(stored: StoredAdapter) -> tuple[Tensor, ...]:
    """The tensors of the adapter alone: ΔW of each weight it changes, and the tensors it stores whole."""
    adapter = stored.adapter
    names = {id(tensor): name for name, tensor in adapter.replaced.items()}
    changed = {weight.name for weight in adapter.weights}
    # A tensor that is stored whole and also changed by ΔW is peft's copy of the base's weight.
    kept = [
        replace(tensor, name=names.get(id(tensor), tensor.name))
        for tensor in stored.tensors
        if names.get(id(tensor)) not in changed
    ]
    return with_decoded(kept, [weight.change for weight in adapter.weights], adapter.refusals)


def with_adapter(base: Sequence[Tensor], stored: StoredAdapter, label: str) -> tuple[Tensor, ...]:
    """Merge an adapter into a base.

    Args:
        base: the base's tensors.
        stored: the adapter.
        label: the adapter's name, for messages.

    Returns:
        The base's tensors, changed or replaced by the adapter's, then new ones, then the adapter's refused ones.

    Raises:
        CheckpointError: training changed the base's weights too, or none of the adapter's weights fits this base.
    """
    adapter = stored.adapter
    if adapter.base_changed:
        raise CheckpointError(f"{label}: can't be merged: {adapter.base_changed}: score the adapter alone")
    by_name = {tensor.name: tensor for tensor in base}
    decodings, refusals = plan_merged(adapter, by_name)
    if not decodings:
        why = refusals[0].reason if refusals else "it changes nothing"
        raise CheckpointError(f"{label}: can't be merged: {why}: is this its base?")
    merged: dict[str, Tensor] = {decoding.name: DecodedTensor(decoding) for decoding in decodings}
    names = base_names(adapter.replaced, by_name)
    whole = {names.get(name, name): tensor for name, tensor in adapter.replaced.items()}
    changed: dict[str, Tensor] = {
        name: replace(tensor, name=name) for name, tensor in whole.items() if name not in merged
    } | merged
    reasons = {refusal.name: refusal.reason for refusal in (*adapter.refusals, *refusals)}
    refused = [replace(tensor, refusal=reasons[tensor.name]) for tensor in stored.tensors if tensor.name in reasons]
    kept = [changed.pop(tensor.name, tensor) for tensor in base]
    return (*kept, *changed.values(), *refused)

"""Open adapters, alone as their ΔW or merged into a base: those that peft saves, and any factors found by name."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from wqscore.checkpoints.adapters.in_place import with_updates
from wqscore.checkpoints.adapters.lora import Adapter, plan_adapter
from wqscore.checkpoints.adapters.merging import base_names, plan_merged
from wqscore.checkpoints.adapters.named import find_updates, named_adapter
from wqscore.checkpoints.adapters.stored_scales import is_of_mlx, stored_scalings
from wqscore.checkpoints.decoding import DecodedTensor, refused, renamed, with_decoded
from wqscore.checkpoints.formats import Opened, open_file, open_weights
from wqscore.checkpoints.local import folder_names, read_config, read_file
from wqscore.checkpoints.remarks import Say, say_nothing
from wqscore.checkpoints.tensor import Tensor, TensorRef
from wqscore.checkpoints.weight_files import choose_weights
from wqscore.errors import CheckpointError

ADAPTER_CONFIG = "adapter_config.json"
#: In order of preference: peft's, MLX's, torchtune's, diffusers' and LitGPT's names.
ADAPTER_WEIGHTS = (
    *("adapter_model.safetensors", "adapter_model.bin", "adapters.safetensors", "adapter_model.pt", "adapter_0.pt"),
    *("pytorch_lora_weights.safetensors", "pytorch_lora_weights.bin", "lit_model.pth.lora"),
)


@dataclass(frozen=True)
class StoredAdapter:
    """An adapter and the tensors that its file holds."""

    adapter: Adapter
    tensors: tuple[Tensor, ...]


def open_alone(path: Path, say: Say = say_nothing) -> Opened:
    """Open an adapter's folder, or a weight file, with ΔW in the place of factors, or W + ΔW where the file has W.

    Args:
        path: the folder or file.
        say: called with a line for everything that is left out.

    Raises:
        CheckpointError: a folder without an adapter's weights, a damaged file, or an invalid setting.
    """
    settings, file = _settings(path), path if path.is_file() else adapter_file(folder_names(path), path)
    if file is not None and (settings.get("peft_type") is None or file.name not in ADAPTER_WEIGHTS):
        config, tensors = open_file(file, say)
    elif file is not None:
        return {}, open_change(_by_settings(file, settings))
    else:
        config, tensors = open_weights(path, choose_weights(folder_names(path), str(path)), say)
    placed = with_named_updates(tensors, config, settings)
    if placed is not None:
        return config, placed
    if path.is_file():
        return config, tensors
    if file is None:
        raise _not_an_adapter(path, ADAPTER_WEIGHTS[0])
    return {}, open_change(_by_settings(file, settings))


def adapter_file(names: Collection[str], folder: Path) -> Path | None:
    """The file of an adapter's factors in a folder, by its name; `None` without one."""
    return next((folder / name for name in ADAPTER_WEIGHTS if name in names), None)


def with_named_updates(
    tensors: Sequence[Tensor], config: Mapping[str, Any], settings: Mapping[str, Any] = MappingProxyType({})
) -> tuple[Tensor, ...] | None:
    """Put the low-rank updates that are found by name in the place of their factors.

    Args:
        tensors: all tensors of a checkpoint.
        config: its configuration.
        settings: the parsed `adapter_config.json`, `{}` without one.

    Returns:
        The tensors; `None` where no tensor is part of an update.

    Raises:
        CheckpointError: a setting of the adapter is invalid.
    """
    found = find_updates(tensors, stored_scalings(tensors, config, settings), is_of_mlx(settings))
    return None if found is None else with_updates(tensors, found)


def open_adapter(path: Path) -> StoredAdapter:
    """Read the settings and headers of an adapter, to be merged: of a folder, or of a file of factors.

    Raises:
        CheckpointError: not an adapter, or a file is damaged.
    """
    settings = _settings(path)
    if path.is_file():
        file = path
    elif (named := adapter_file(folder_names(path), path)) is not None:
        file = named
    elif settings:
        raise _not_an_adapter(path, ADAPTER_WEIGHTS[0])
    else:
        weights = choose_weights(folder_names(path), str(path))
        if len(weights.files) != 1:
            raise _not_an_adapter(path, ADAPTER_CONFIG)
        file = path / weights.files[0]
    if settings.get("peft_type") is not None and file.suffix != ".gguf":
        return _by_settings(file, settings)
    config, tensors = open_file(file)
    found = find_updates(tensors, stored_scalings(tensors, config, settings), is_of_mlx(settings))
    if found is None:
        raise _not_an_adapter(path, ADAPTER_CONFIG if not settings else "factors of low-rank updates")
    return StoredAdapter(named_adapter(found), tensors)


def _settings(path: Path) -> dict[str, Any]:
    return read_config((path if path.is_dir() else path.parent) / ADAPTER_CONFIG)


def _by_settings(file: Path, settings: Mapping[str, Any]) -> StoredAdapter:
    tensors = read_file(file)
    try:
        adapter = plan_adapter({tensor.name: tensor for tensor in tensors}, settings)
    except CheckpointError as error:
        raise CheckpointError(f"{file.parent}: {error}") from error
    return StoredAdapter(adapter, tensors)


def _not_an_adapter(path: Path, missing: str) -> CheckpointError:
    return CheckpointError(f"{path}: has no {missing}: is this the folder of an adapter that peft saved?")


def open_change(stored: StoredAdapter) -> tuple[Tensor, ...]:
    """The tensors of the adapter alone: ΔW of each weight it changes, and the tensors it stores whole."""
    adapter = stored.adapter
    names = {id(tensor): name for name, tensor in adapter.replaced.items()}
    changed = {weight.name for weight in adapter.weights}
    # A tensor that is stored whole and also changed by ΔW is peft's copy of the base's weight.
    kept = [
        replace(tensor, name=names.get(id(tensor), tensor.name))
        for tensor in stored.tensors
        if isinstance(tensor, TensorRef) and names.get(id(tensor)) not in changed
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
        name: renamed(tensor, name) for name, tensor in whole.items() if name not in merged
    } | merged
    reasons = {refusal.name: refusal.reason for refusal in (*adapter.refusals, *refusals)}
    left_out = [refused(tensor, reasons[tensor.name]) for tensor in stored.tensors if tensor.name in reasons]
    kept = [changed.pop(tensor.name, tensor) for tensor in base]
    return (*kept, *changed.values(), *left_out)

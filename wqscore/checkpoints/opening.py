"""Open the checkpoint a reference names: from disk or the Hub, in any format, with or without an adapter."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wqscore.checkpoints.adapters.opening import (
    ADAPTER_CONFIG,
    adapter_file,
    open_adapter,
    open_alone,
    with_adapter,
    with_named_updates,
)
from wqscore.checkpoints.checkpoint import Checkpoint
from wqscore.checkpoints.components import MODEL_INDEX, MODULES, Component, find_components
from wqscore.checkpoints.decoding import prefixed
from wqscore.checkpoints.formats import Opened, decoded, open_weights
from wqscore.checkpoints.hub.header_cache import HeaderCache
from wqscore.checkpoints.in_memory import open_in_memory
from wqscore.checkpoints.local import folder_names, read_config, read_json
from wqscore.checkpoints.pytorch.dcp import check_not_distributed
from wqscore.checkpoints.remarks import Say
from wqscore.checkpoints.standard_names import WeightFiles
from wqscore.checkpoints.tensor import Tensor
from wqscore.checkpoints.weight_files import choose_weights
from wqscore.errors import CheckpointError
from wqscore.refs.reference import ModelRef

if TYPE_CHECKING:
    from wqscore.checkpoints.hub.fetch import RemoteHeaders
    from wqscore.checkpoints.hub.shared_headers import SharedHeaders


def open_checkpoint(
    ref: ModelRef,
    on_file: Callable[[str, int], None] | None = None,
    stream: bool = False,
    known: HeaderCache | None = None,
) -> Checkpoint:
    """Open a checkpoint: download it if necessary and read its headers.

    Args:
        ref: the model.
        on_file: called with the name and size in bytes of each file before it is downloaded.
        stream: leave the weights on the Hub and read each tensor when it is needed.
        known: cache of headers, used when the model is streamed.

    Raises:
        CheckpointError: it can't be found, fetched or read; the message says what to do.
    """
    if ref.missing:
        raise CheckpointError(ref.missing)
    if ref.memory is not None:
        return open_in_memory(ref)
    if ref.adapter is not None:
        base = open_checkpoint(ref.base, on_file, stream, known)
        folder, _, _ = _on_disk(ref.adapter, on_file)
        tensors = with_adapter(base.tensors, open_adapter(folder), ref.adapter.label)
        return _with_parameters(Checkpoint(ref, base.revision, base.config, tensors, base.remarks))
    if stream and ref.source == "hub":
        from wqscore.checkpoints.hub.fetch import stream as stream_headers

        return _from_headers(ref, stream_headers(ref, on_file, known))
    path, revision, remarks = _on_disk(ref, on_file)
    said = list(remarks)
    try:
        opened = open_alone(path, said.append) if path.is_file() else _open_folder(path, said.append)
    except CheckpointError as error:
        # The message names a file in the Hub's cache; prefix the model's name.
        raise CheckpointError(f"{ref.label}: {error}") if ref.source == "hub" else error from error
    return _with_parameters(Checkpoint(ref, revision, *opened, remarks=tuple(dict.fromkeys(said))))


def open_headers(ref: ModelRef, shared: SharedHeaders | None = None) -> Checkpoint:
    """Read a checkpoint's headers without downloading its weights: from the Hub by byte ranges.

    Args:
        ref: the model.
        shared: headers of models like this one, for an estimate.

    Raises:
        CheckpointError: it can't be found, fetched or read.
    """
    if ref.source != "hub" or ref.adapter is not None:
        return open_checkpoint(ref)
    from wqscore.checkpoints.hub.fetch import read_headers

    return _from_headers(ref, read_headers(ref, shared))


def _with_parameters(checkpoint: Checkpoint) -> Checkpoint:
    """Refuse a checkpoint without a single parameter: whatever is then said of the model would be said of nothing.

    Raises:
        CheckpointError: it has no tensors, or only empty ones and buffers of whole numbers.
    """
    if any(tensor.parameters and (tensor.dtype.kind != "other" or tensor.refusal) for tensor in checkpoint.tensors):
        return checkpoint
    count = len(checkpoint.tensors)
    found = f"none of its {count} tensors holds a parameter" if count else "no tensors found in it"
    raise CheckpointError(f"{checkpoint.ref.label}: {found}: is this the file or folder of the model's weights?")


def _from_headers(ref: ModelRef, headers: RemoteHeaders) -> Checkpoint:
    tensors = decoded(headers.tensors, headers.config)
    tensors = with_named_updates(tensors, headers.config) or tensors
    return _with_parameters(Checkpoint(ref, headers.revision, headers.config, tensors, headers.remarks))


def _on_disk(ref: ModelRef, on_file: Callable[[str, int], None] | None) -> tuple[Path, str | None, tuple[str, ...]]:
    """The folder or file, downloaded if necessary, its commit, and remarks on what was not downloaded."""
    if ref.source != "hub":
        assert ref.path is not None, "a reference that is not on the Hub has a path"
        return ref.path, None, ()
    from wqscore.checkpoints.hub.fetch import fetch

    snapshot = fetch(ref, on_file)
    path = snapshot.folder if ref.file is None else snapshot.folder / ref.file
    return path, snapshot.revision, snapshot.remarks


def _open_folder(folder: Path, say: Say) -> Opened:
    names = folder_names(folder)
    check_not_distributed(names, str(folder))
    if ADAPTER_CONFIG in names:
        return open_alone(folder, say)
    manifests = {name: read_json(folder / name) for name in (MODEL_INDEX, MODULES) if name in names}
    components = find_components(names, manifests, str(folder))
    if any(component.folder for component in components):
        config, tensors = _open_components(folder, components, say)
    else:
        config, tensors = open_weights(folder, _weights(folder, names), say)
    return config, with_named_updates(tensors, config) or tensors


def _weights(folder: Path, names: Collection[str]) -> WeightFiles:
    """The files of a model, or of an adapter without its configuration."""
    named = read_config(folder / "config.json").get("transformers_weights")
    try:
        return choose_weights(names, str(folder), named)
    except CheckpointError:
        if (file := adapter_file(names, folder)) is None:
            raise
        return WeightFiles(None, (file.name,))


def _open_components(folder: Path, components: tuple[Component, ...], say: Say) -> Opened:
    """Open all components as one model; tensor names are prefixed with the component's name."""
    config: dict[str, Any] = {}
    tensors: list[Tensor] = []
    for component in components:
        remarks: list[str] = []
        own, found = open_weights(folder / component.folder, component.weights, remarks.append)
        for remark in remarks:
            say(f"{component.folder}/{remark}" if component.folder else remark)
        config |= {f"{component.name}_config": own} if component.name else own
        tensors += [prefixed(tensor, component.name) for tensor in found]
    return config, tuple(tensors)

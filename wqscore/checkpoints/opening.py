"""Open the checkpoint a reference names: from disk or the Hub, in any format, with or without an adapter."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from wqscore.checkpoints.adapters.opening import ADAPTER_CONFIG, open_adapter, open_change, with_adapter
from wqscore.checkpoints.checkpoint import Checkpoint
from wqscore.checkpoints.components import MODEL_INDEX, MODULES, Component, find_components
from wqscore.checkpoints.decoding import prefixed
from wqscore.checkpoints.formats import Opened, open_file, open_weights
from wqscore.checkpoints.hub.header_cache import HeaderCache
from wqscore.checkpoints.in_memory import open_in_memory
from wqscore.checkpoints.local import folder_names, read_json
from wqscore.checkpoints.pytorch.dcp import check_not_distributed
from wqscore.checkpoints.quantised.planning import dequantised
from wqscore.checkpoints.tensor import Tensor
from wqscore.checkpoints.weight_files import choose_weights
from wqscore.errors import CheckpointError
from wqscore.refs import ModelRef


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
    if ref.memory is not None:
        return open_in_memory(ref)
    if ref.adapter is not None:
        base = open_checkpoint(ref.base, on_file, stream, known)
        folder, _ = _on_disk(ref.adapter, on_file)
        tensors = with_adapter(base.tensors, open_adapter(folder), ref.adapter.label)
        return Checkpoint(ref, base.revision, base.config, tensors)
    if stream and ref.source == "hub":
        from wqscore.checkpoints.hub.fetch import stream as stream_headers

        headers = stream_headers(ref, on_file, known)
        return Checkpoint(ref, headers.revision, headers.config, dequantised(headers.tensors, headers.config))
    path, revision = _on_disk(ref, on_file)
    try:
        opened = open_file(path) if path.is_file() else _open_folder(path)
    except CheckpointError as error:
        # The message names a file in the Hub's cache; prefix the model's name.
        raise CheckpointError(f"{ref.label}: {error}") if ref.source == "hub" else error from error
    return Checkpoint(ref, revision, *opened)


def open_headers(ref: ModelRef) -> Checkpoint:
    """Read a checkpoint's headers without downloading its weights: from the Hub by byte ranges.

    Raises:
        CheckpointError: it can't be found, fetched or read.
    """
    if ref.source != "hub" or ref.adapter is not None:
        return open_checkpoint(ref)
    from wqscore.checkpoints.hub.fetch import read_headers

    headers = read_headers(ref)
    return Checkpoint(ref, headers.revision, headers.config, dequantised(headers.tensors, headers.config))


def _on_disk(ref: ModelRef, on_file: Callable[[str, int], None] | None) -> tuple[Path, str | None]:
    """The checkpoint's folder or file, downloaded if necessary, and its commit."""
    if ref.source != "hub":
        assert ref.path is not None, "a reference that is not on the Hub has a path"
        return ref.path, None
    from wqscore.checkpoints.hub.fetch import fetch

    snapshot = fetch(ref, on_file)
    return snapshot.folder if ref.file is None else snapshot.folder / ref.file, snapshot.revision


def _open_folder(folder: Path) -> Opened:
    names = folder_names(folder)
    check_not_distributed(names, str(folder))
    if ADAPTER_CONFIG in names:
        return {}, open_change(open_adapter(folder))
    manifests = {name: read_json(folder / name) for name in (MODEL_INDEX, MODULES) if name in names}
    components = find_components(names, manifests, str(folder))
    if any(component.folder for component in components):
        return _open_components(folder, components)
    return open_weights(folder, choose_weights(names, str(folder)))


def _open_components(folder: Path, components: tuple[Component, ...]) -> Opened:
    """Open all components as one model; tensor names are prefixed with the component's name."""
    config: dict[str, Any] = {}
    tensors: list[Tensor] = []
    for component in components:
        own, found = open_weights(folder / component.folder, component.weights)
        config |= {f"{component.name}_config": own} if component.name else own
        tensors += [prefixed(tensor, component.name) for tensor in found]
    return config, tuple(tensors)

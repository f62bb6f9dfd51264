"""From a reference to an opened checkpoint, wherever it lies and however it is stored."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from wqscore.checkpoints.checkpoint import Checkpoint
from wqscore.checkpoints.decoding import with_decoded
from wqscore.checkpoints.local import folder_weights, read_config, read_file, read_folder
from wqscore.checkpoints.quantised.planning import dequantised
from wqscore.checkpoints.tensor import Tensor
from wqscore.errors import CheckpointError
from wqscore.refs import ModelRef

Opened = tuple[dict[str, Any], tuple[Tensor, ...]]


def open_checkpoint(
    ref: ModelRef, on_file: Callable[[str, int], None] | None = None, stream: bool = False
) -> Checkpoint:
    """Fetch what a reference names, if need be, and read its headers.

    Args:
        ref: the model.
        on_file: told the name and size in bytes of each file before it is downloaded.
        stream: leave the weights on the Hub, and read each tensor there when it is asked for.

    Raises:
        CheckpointError: it can't be found, fetched or read; the message says what to do.
    """
    if ref.source != "hub":
        assert ref.path is not None, "a reference that is not on the Hub has a path"
        opened = _open_folder(ref.path) if ref.source == "folder" else _open_file(ref.path)
        return Checkpoint(ref, None, *opened)
    if stream:
        from wqscore.checkpoints.hub import stream as stream_headers

        headers = stream_headers(ref)
        return Checkpoint(ref, headers.revision, headers.config, dequantised(headers.tensors, headers.config))
    from wqscore.checkpoints.hub import fetch

    snapshot = fetch(ref, on_file)
    try:
        opened = _open_folder(snapshot.folder) if ref.file is None else _open_file(snapshot.folder / ref.file)
    except CheckpointError as error:
        # It names a file of the Hub's cache, not what was asked for.
        raise CheckpointError(f"{ref.label}: {error}") from error
    return Checkpoint(ref, snapshot.revision, *opened)


def open_headers(ref: ModelRef) -> Checkpoint:
    """Read a checkpoint's headers without its weights: from the Hub, by ranges of bytes."""
    if ref.source != "hub":
        return open_checkpoint(ref)
    from wqscore.checkpoints.hub import read_headers

    headers = read_headers(ref)
    return Checkpoint(ref, headers.revision, headers.config, dequantised(headers.tensors, headers.config))


def _open_folder(folder: Path) -> Opened:
    weights = folder_weights(folder)
    if weights.index is None and Path(weights.files[0]).suffix == ".gguf":
        return _open_file(folder / weights.files[0])
    config, tensors = read_folder(folder)
    return config, dequantised(tensors, config)


def _open_file(file: Path) -> Opened:
    if file.suffix == ".gguf":
        from wqscore.checkpoints.gguf.file import read_gguf

        config, stored, decodings, refusals = read_gguf(file)
        return config, with_decoded(stored, decodings, refusals)
    config, stored = read_config(file.with_name("config.json")), list(read_file(file))
    return config, dequantised(stored, config)

"""From a reference to an opened checkpoint, wherever it lies."""

from __future__ import annotations

from collections.abc import Callable

from wqscore.checkpoints.checkpoint import Checkpoint
from wqscore.checkpoints.local import read_config, read_file, read_folder
from wqscore.errors import CheckpointError
from wqscore.refs import ModelRef


def open_checkpoint(ref: ModelRef, on_file: Callable[[str, int], None] | None = None) -> Checkpoint:
    """Fetch what a reference names, if need be, and read its headers.

    Args:
        ref: the model.
        on_file: told the name and size in bytes of each file before it is downloaded.

    Raises:
        CheckpointError: it can't be found, fetched or read; the message says what to do.
    """
    if ref.source == "hub":
        from wqscore.checkpoints.hub import fetch

        snapshot = fetch(ref, on_file)
        try:
            return Checkpoint(ref, snapshot.revision, *read_folder(snapshot.folder))
        except CheckpointError as error:
            # It names a file of the Hub's cache, not what was asked for.
            raise CheckpointError(f"{ref.label}: {error}") from error
    assert ref.path is not None, "a reference that is not on the Hub has a path"
    if ref.source == "folder":
        return Checkpoint(ref, None, *read_folder(ref.path))
    return Checkpoint(ref, None, read_config(ref.path.with_name("config.json")), read_file(ref.path))


def open_headers(ref: ModelRef) -> Checkpoint:
    """Read a checkpoint's headers without its weights: from the Hub, by ranges of bytes."""
    if ref.source != "hub":
        return open_checkpoint(ref)
    from wqscore.checkpoints.hub import read_headers

    headers = read_headers(ref)
    return Checkpoint(ref, headers.revision, headers.config, tuple(headers.tensors))

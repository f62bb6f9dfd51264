"""Downloading a checkpoint, or streaming it from the Hub: as asked, or the other way where only that is possible."""

from __future__ import annotations

from typing import Protocol

from wqscore.checkpoints.checkpoint import Checkpoint
from wqscore.checkpoints.hub.errors import OtherWayError
from wqscore.checkpoints.hub.header_cache import HeaderCache
from wqscore.checkpoints.opening import open_checkpoint
from wqscore.refs import ModelRef


class FetchProgress(Protocol):
    """Told what is fetched."""

    def fetching(self, file: str, size: int) -> None:
        """Called before each download, with the file's name and bytes."""

    def note(self, text: str) -> None:
        """Called with a line on what is done otherwise than asked."""


def open_either_way(
    ref: ModelRef, stream: bool = False, progress: FetchProgress | None = None, known: HeaderCache | None = None
) -> Checkpoint:
    """Open a checkpoint, streamed though that was not asked for where the disk has no room, or the reverse.

    Args:
        ref: the model.
        stream: leave the weights on the Hub, and read each tensor there when it is asked for.
        progress: told of downloads, and of the other way.
        known: headers that were read before, for a model that is streamed.

    Raises:
        CheckpointError: it can't be found, fetched or read.
    """
    on_file = progress.fetching if progress else None
    try:
        return open_checkpoint(ref, on_file, stream, known)
    except OtherWayError as error:
        if progress:
            progress.note(f"{error.reason}: {'downloading' if stream else 'streaming'} them")
    return open_checkpoint(ref, on_file, not stream, known)

"""Download a checkpoint or stream it from the Hub, falling back to the other if the requested way is impossible."""

from __future__ import annotations

from typing import Protocol

from wqscore.checkpoints.adapters.lora_weight import SCALE_ASSUMED
from wqscore.checkpoints.checkpoint import Checkpoint
from wqscore.checkpoints.decoding import flags_of
from wqscore.checkpoints.hub.errors import FallbackNeededError
from wqscore.checkpoints.hub.header_cache import HeaderCache
from wqscore.checkpoints.opening import open_checkpoint
from wqscore.refs.reference import ModelRef


class FetchProgress(Protocol):
    """Receives notices while a checkpoint is fetched."""

    def fetching(self, file: str, size: int) -> None:
        """Called before each download, with the file's name and bytes."""

    def note(self, text: str) -> None:
        """Called with a one-line notice when the run departs from what was requested."""


def open_or_fall_back(
    ref: ModelRef, stream: bool = False, progress: FetchProgress | None = None, known: HeaderCache | None = None
) -> Checkpoint:
    """Open a checkpoint as requested; stream if the disk is too small, download if the format can't be streamed.

    Args:
        ref: the model.
        stream: leave the weights on the Hub and read each tensor when it is needed.
        progress: notified of downloads, of the fallback and of an assumed scale.
        known: cache of headers, used when the model is streamed.

    Raises:
        CheckpointError: it can't be found, fetched or read.
    """
    on_file = progress.fetching if progress else None
    try:
        checkpoint = open_checkpoint(ref, on_file, stream, known)
    except FallbackNeededError as error:
        if progress:
            progress.note(f"{error.reason}: {'downloading' if stream else 'streaming'} them")
        checkpoint = open_checkpoint(ref, on_file, not stream, known)
    if progress and (assumed := sum(SCALE_ASSUMED in flags_of(tensor) for tensor in checkpoint.tensors)):
        progress.note(
            f"{ref.label}: no alpha is stored for {assumed} of its low-rank updates: their scale is taken as 1"
        )
    return checkpoint

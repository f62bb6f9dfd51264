"""A checkpoint opened for reading: its tensors by header, its configuration, and what it was resolved to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from wqscore.checkpoints.tensor import Tensor
from wqscore.refs import ModelRef


@dataclass(frozen=True)
class Checkpoint:
    """A model's stored weights; opening one reads headers only.

    Attributes:
        ref: what was asked for.
        revision: the 40-hex commit on the Hub, `None` for files on disk.
        config: the parsed `config.json`, `{}` where there is none.
        tensors: every tensor, in the order of the files.
    """

    ref: ModelRef
    revision: str | None
    config: dict[str, Any]
    tensors: tuple[Tensor, ...]

    @property
    def parameters(self) -> int:
        """Elements of all tensors, each range of bytes counted once; scales and the like are none."""
        unique = {tensor.location: tensor.parameters for tensor in self.tensors if not tensor.part_of}
        return sum(unique.values())

"""An open checkpoint: its tensors, its configuration and the commit it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from wqscore.checkpoints.tensor import Tensor
from wqscore.checkpoints.training_state import training_state
from wqscore.refs import ModelRef


@dataclass(frozen=True)
class Checkpoint:
    """A model's stored weights; opening one reads headers only.

    Attributes:
        ref: the requested model.
        revision: the commit on the Hub, 40 hex digits; `None` for files on disk.
        config: the parsed `config.json`, `{}` if there is none.
        tensors: every tensor, in file order.
    """

    ref: ModelRef
    revision: str | None
    config: dict[str, Any]
    tensors: tuple[Tensor, ...]

    @property
    def parameters(self) -> int:
        """Number of parameters: tied tensors count once, scales of quantised weights and training state never."""
        no_part = training_state(self.tensors)
        counted = (tensor for tensor in self.tensors if not tensor.part_of and tensor.name not in no_part)
        unique = {tensor.location: tensor.parameters for tensor in counted}
        return sum(unique.values())

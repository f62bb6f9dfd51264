"""An open checkpoint: its tensors, its configuration and the commit it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wqscore.cached_property import cached_property
from wqscore.checkpoints.quantised.counting import count_weights
from wqscore.checkpoints.tensor import Tensor
from wqscore.checkpoints.training_state import training_state
from wqscore.refs.reference import ModelRef


@dataclass(frozen=True)
class Checkpoint:
    """A model's stored weights; opening one reads headers only.

    Attributes:
        ref: the requested model.
        revision: the commit on the Hub, 40 hex digits; `None` for files on disk.
        config: the parsed `config.json`, `{}` if there is none.
        tensors: every tensor, in file order.
        remarks: lines that say what was taken as the model where its files hold more than one.
        gauge: the form of the weights: `none` for the stored one, else the one that its tensors are brought to when
            they are read.
    """

    ref: ModelRef
    revision: str | None
    config: dict[str, Any]
    tensors: tuple[Tensor, ...]
    remarks: tuple[str, ...] = ()
    gauge: str = "none"

    @cached_property
    def training_state(self) -> Mapping[str, str]:
        """The tensors that are no part of the model, with the reason, as `training_state` finds them."""
        return training_state(self.tensors)

    @cached_property
    def counts(self) -> dict[str, int | None]:
        """The number of weights of each tensor by name, as `count_weights` gives it."""
        return count_weights(self.tensors, self.config)

    @cached_property
    def parameters(self) -> int:
        """Number of parameters; where it can't be told what codes stand for, each counts as one.

        Tied tensors count once, codes as the weights they stand for; their scales and training state don't count.
        """
        counted = (tensor for tensor in self.tensors if not tensor.part_of and tensor.name not in self.training_state)
        unique = {tensor.location: self._count(tensor) for tensor in counted}
        return sum(unique.values())

    def _count(self, tensor: Tensor) -> int:
        count = self.counts[tensor.name]
        return tensor.parameters if count is None else count

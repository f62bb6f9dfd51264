"""Tensors that can't be scored and leave it open how much of a model is missing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from wqscore.checkpoints.checkpoint import Checkpoint
from wqscore.matrices.weight_matrix import SkippedTensor


@dataclass(frozen=True)
class UncountedTensor(SkippedTensor):
    """A skipped tensor of which can't be told how many weights it stands for; `weights` is 0."""


@dataclass(frozen=True)
class MissingWeight(UncountedTensor):
    """A weight that must be there and is empty, absent, or of a shape that it can't have.

    One that is absent has the shape () and the data type `-`.
    """


def parameters_of(checkpoint: Checkpoint, outcomes: Iterable[object]) -> int | None:
    """The number of a checkpoint's parameters, `None` if it can't be told.

    Args:
        checkpoint: an open checkpoint.
        outcomes: what becomes of its tensors: matrices or rows, and skips.
    """
    return None if any(isinstance(each, UncountedTensor) for each in outcomes) else checkpoint.parameters

"""What a teleport did to a network: how far its outputs moved, and the norm of its gradient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch

#: What becomes of an optimizer's state: `keep` leaves it as it was, `drop` clears it.
State = Literal["keep", "drop"]


@dataclass(frozen=True)
class Moved:
    """What a teleport did.

    Attributes:
        grad_before: norm of the loss's gradient on the batch; `None` without targets and a loss.
        grad_after: the same afterwards.
        batch_change: the largest change of an output on the batch; `None` without one.
        held_out_change: the same on rows that the group element was not made for.
    """

    grad_before: float | None
    grad_after: float | None
    batch_change: float | None
    held_out_change: float | None


def largest_changes(
    move: Callable[[], None], outputs: Callable[[Any], torch.Tensor], rows: Sequence[Any]
) -> list[float | None]:
    """Move a network, and return the largest change of an output on each batch; `None` for no batch."""
    with torch.no_grad():
        before = [None if each is None else outputs(each) for each in rows]
    move()
    with torch.no_grad():
        return [
            None if old is None else float((outputs(each) - old).abs().max())
            for each, old in zip(rows, before, strict=True)
        ]

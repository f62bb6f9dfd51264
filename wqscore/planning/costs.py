"""What scoring a model takes, worked out once for all models of one architecture."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from threading import Lock

from wqscore.checkpoints.checkpoint import Checkpoint
from wqscore.checkpoints.hub.shared_headers import of_the_model
from wqscore.checkpoints.tensor import TensorRef
from wqscore.fits.sampling import Sampling
from wqscore.planning.describe import describe_checkpoint
from wqscore.planning.store_size import store_size
from wqscore.planning.work import Speed
from wqscore.presets.registry import DEFAULT
from wqscore.stores.records import canonical


@dataclass(frozen=True)
class Cost:
    """What scoring a model, or several one after the other, would take.

    Attributes:
        parameters: weights of all tensors, `None` where it can't be told.
        tensors: their number.
        matrices: those to score.
        eigensolves: one for each matrix, and of a convolution one for each position of its kernel.
        to_read: bytes that scoring reads.
        seconds: the least time it is likely to take on one core of this machine, without starting up and downloading.
        most_seconds: the most.
        peak_memory: about how many bytes it holds at its peak.
        store_size: about how many bytes its results take in the store.
    """

    parameters: int | None
    tensors: int
    matrices: int
    eigensolves: int
    to_read: int
    seconds: float
    most_seconds: float
    peak_memory: int
    store_size: int = 0


class Costs:
    """The costs of models: of those with the same configuration and the same headers, one is worked out."""

    def __init__(self, jobs: int | None, speed: Speed, sampling: Sampling) -> None:
        """Of scoring with so many threads at this speed, with so much random work."""
        self._jobs, self._speed, self._sampling = jobs, speed, sampling
        self._known: dict[Hashable, Cost] = {}
        self._lock = Lock()

    def of(self, checkpoint: Checkpoint) -> Cost:
        """What scoring an open checkpoint takes."""
        likeness = _likeness(checkpoint)
        if likeness is None:
            return self._worked_out(checkpoint)
        # Threads open models; working this out is Python's, which runs one of them at a time.
        with self._lock:
            if likeness not in self._known:
                self._known[likeness] = self._worked_out(checkpoint)
            return self._known[likeness]

    def _worked_out(self, checkpoint: Checkpoint) -> Cost:
        found = describe_checkpoint(checkpoint, DEFAULT, self._jobs, self._speed, self._sampling)
        return Cost(
            parameters=found.parameters,
            tensors=len(checkpoint.tensors),
            matrices=len(found.matrices),
            eigensolves=found.eigensolves,
            to_read=found.size,
            seconds=found.seconds,
            most_seconds=found.most_seconds,
            peak_memory=found.peak_memory,
            store_size=store_size(found.matrices),
        )


def _likeness(checkpoint: Checkpoint) -> Hashable | None:
    """Equal for checkpoints that cost the same: all that planning looks at; `None` where tensors are decoded."""
    if not all(type(tensor) is TensorRef for tensor in checkpoint.tensors):
        return None
    tensors = tuple(
        (t.name, t.shape, t.dtype, t.file.name, t.offset, t.strides, t.part_of, t.refusal)
        for t in checkpoint.tensors
        if isinstance(t, TensorRef)
    )
    return canonical(of_the_model(checkpoint.config)), tensors

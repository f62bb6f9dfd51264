"""How many threads torch takes for a task."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from wqscore.landscape.task import Task

#: Below so many products of a weight and an example in a pass, threads wait for each other for longer than they
#: compute: two cores gain up to 1.3 times there, and take 30 times as long where others compute on them too.
_SMALL = 5_000_000


@contextmanager
def threads_for(task: Task, jobs: int | None) -> Iterator[None]:
    """Take so many threads meanwhile; if `None` torch's own number, or one for a small task."""
    before = torch.get_num_threads()
    weights = sum(each.numel() for each in task.model.parameters())
    is_small = weights * max(len(targets) for _, targets in task.batches) < _SMALL
    torch.set_num_threads(jobs or (1 if is_small else before))
    try:
        yield
    finally:
        torch.set_num_threads(before)

"""The resources a run may use: threads or a cluster, and memory."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from wqscore.errors import UsageError

#: Threads of this process, or a cluster.
Backend = Literal["threads", "dask", "ray"]
#: Python, the libraries and the compiled kernels; and what each thread has of its own, BLAS's buffers above all.
_PROGRAM, _THREAD = 190_000_000, 15_000_000
#: Where Linux lists the limits of a process's container (cgroup v2).
_CONTAINER = Path("/sys/fs/cgroup")
#: The share of free memory to use; the rest is left to processes that start meanwhile.
_SHARE_OF_FREE = 0.8


@dataclass(frozen=True)
class Resources:
    """The resources a run may use; they change no result.

    Attributes:
        jobs: threads, or tasks at a time; all cores if `None`.
        memory: bytes that the process is to stay under; most of what is free if `None`.
        backend: `threads` of this process, or the cluster that it is connected to.
    """

    jobs: int | None = None
    memory: int | None = None
    backend: Backend = "threads"

    def __post_init__(self) -> None:
        """Refuse a memory bound for a cluster, whose workers do not get it."""
        if self.backend != "threads" and self.memory is not None:
            raise UsageError(f"--memory is for threads: the workers of {self.backend} have limits of their own")

    @property
    def threads(self) -> int:
        """The threads that work, and as many that read."""
        return self.jobs or cores()


#: All cores, and most of the memory that is free.
ALL = Resources()


def budget_for_jobs(resources: Resources) -> int:
    """Bytes that the tensors in work may take together: what the process may take beside the program."""
    whole = round(_SHARE_OF_FREE * available_memory()) if resources.memory is None else resources.memory
    return max(0, whole - program_memory(resources.threads))


def available_memory() -> int:
    """Bytes that this process may still take: of the machine's, or of its container's if that is less."""
    import psutil

    free = int(psutil.virtual_memory().available)
    try:
        limit, used = (int((_CONTAINER / name).read_text()) for name in ("memory.max", "memory.current"))
    except (OSError, ValueError):  # no container, or one without a limit
        return free
    return min(free, max(0, limit - used))


def program_memory(threads: int) -> int:
    """Bytes that the program takes before it reads anything."""
    return _PROGRAM + _THREAD * threads


def cores() -> int:
    """The cores this process may use: fewer than the machine has, in a container or a batch job."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1

"""Run jobs on the workers of a running cluster, through joblib's backends for Dask and Ray.

A task carries references; the worker reads its own tensors, from a file system that all share or from the Hub. Small
jobs share a task, for a task costs milliseconds whatever it does (benchmarks/README.md, `cluster_overhead.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from typing import Any, Protocol

from rich.filesize import decimal

from wqscore.errors import CheckpointError, UsageError
from wqscore.execution.bundles import bundled
from wqscore.execution.cluster.worker import do_jobs, versions
from wqscore.execution.resources import Backend, program_memory
from wqscore.execution.threads import Job, Result

#: Bytes of the smallest class of memory; each further class is twice as large.
SMALLEST_CLASS = 10**9
#: Jobs of so many bytes together, and at most so many, share a task: what takes that memory takes 0.1 s.
#: Each worker gets at least so many tasks, so that none is left with the last one.
_TASK_MEMORY, _TASK_JOBS, _TASKS_EACH = 16_000_000, 64, 8


class Engine(Protocol):
    """What runs tasks on workers, as the modules `dask` and `ray` beside this one do.

    Attributes:
        FAILURES: the errors it raises when a task could not be run.
        REPEATS: how often a failed call is repeated for the missing results.
    """

    FAILURES: tuple[type[Exception], ...]
    REPEATS: int

    def connected(self) -> AbstractContextManager[None]:
        """Connect to the cluster that the environment names, unless this process is connected.

        Raises:
            UsageError: none is named, or it does not answer.
        """

    def room(self, memory: int) -> int:
        """How many tasks of so many bytes all workers together have room for."""

    def parallel(self, memory: int, tasks: int) -> Any:
        """Joblib's `Parallel`, whose results come as they are ready.

        Args:
            memory: bytes that a task takes.
            tasks: how many run at a time.
        """


def connected(backend: Backend) -> AbstractContextManager[None]:
    """Stay connected to a cluster inside the context; do nothing for threads.

    Raises:
        UsageError: no such backend, its package is not installed, no cluster is named, or it does not answer.
    """
    return nullcontext() if backend == "threads" else _engine(backend).connected()


def run_on_cluster(
    jobs: Sequence[Job[Result]], backend: Backend, most: int | None = None
) -> Iterator[tuple[int, Result]]:
    """Run jobs on the workers of a cluster, and yield results as they come.

    Jobs are put into classes by their memory, the largest class first, and keep their order within a class. The jobs
    of a lost worker run again.

    Args:
        jobs: what to do; has to be pickled, and its result too.
        backend: `dask` or `ray`, `connected`.
        most: how many run at a time; as many as there is room for if `None`.

    Yields:
        The index of a job and its result.

    Raises:
        CheckpointError: a job needs more memory than any worker has (no job runs then), or workers run out of memory.
        UsageError: a worker has other versions than this process.
    """
    engine = _engine(backend)
    classes: dict[int, list[int]] = {}
    for place, job in enumerate(jobs):
        classes.setdefault(memory_class(job.memory), []).append(place)
    for memory in sorted(classes, reverse=True):
        if not engine.room(memory):
            job = jobs[classes[memory][0]]
            raise CheckpointError(
                f"{job.name} takes up to {decimal(job.memory)} of memory, with the program {decimal(memory)}, and no "
                f"worker of the {backend} cluster has that: start one that has"
            )
    for memory in sorted(classes, reverse=True):
        tasks = min(engine.room(memory), most or len(jobs))
        yield from _run_class(jobs, classes[memory], engine, memory, tasks)


def memory_class(memory: int) -> int:
    """The bytes that a worker has to have for a task: those of the task and of the program, rounded up to a class.

    Example:
        >>> memory_class(0), memory_class(2_500_000_000)
        (1000000000, 4000000000)
    """
    needed = memory + program_memory(1)
    return SMALLEST_CLASS << (-(-needed // SMALLEST_CLASS) - 1).bit_length()


def _run_class(
    jobs: Sequence[Job[Result]], places: Sequence[int], engine: Engine, memory: int, tasks: int
) -> Iterator[tuple[int, Result]]:
    """Run the jobs of one class; if the call fails, run those without a result again."""
    from joblib import delayed

    missing = dict.fromkeys(places)
    for attempt in range(engine.REPEATS + 1):
        try:
            run = engine.parallel(memory, max(1, tasks))
            shares = [[(place, jobs[place]) for place in share] for share in _shares(list(missing), jobs, tasks)]
            for results in run(delayed(do_jobs)(share, versions()) for share in shares):
                for place, result in results:
                    del missing[place]
                    yield place, result
            return
        except engine.FAILURES as error:
            if attempt == engine.REPEATS:
                first = jobs[next(iter(missing))].name
                raise CheckpointError(
                    f"the cluster failed on {first} or what ran beside it: {' '.join(str(error).split())[:300]} "
                    "(workers that die may have too little memory)"
                ) from error


def _shares(places: Sequence[int], jobs: Sequence[Job[Result]], tasks: int) -> list[list[int]]:
    """Jobs that share a task, in order: the small ones."""
    most = min(_TASK_JOBS, max(1, len(places) // (_TASKS_EACH * max(1, tasks))))
    bundles = bundled([jobs[place].memory for place in places], most, _TASK_MEMORY)
    return [[places[number] for number in bundle] for bundle in bundles]


def _engine(backend: str) -> Engine:
    if backend not in ("dask", "ray"):
        raise UsageError(f"no such backend: {backend!r}: choose from threads, dask, ray")
    try:
        engine: Any = import_module(f"wqscore.execution.cluster.{backend}")
    except ImportError as error:
        raise UsageError(
            f"--backend {backend} needs a package that is not installed ({error.name}): "
            f"pip install 'wqscore[{backend}]'"
        ) from error
    return engine  # type: ignore[no-any-return]

"""Run jobs in threads, each with one BLAS thread, while other threads read ahead."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from dataclasses import dataclass
from math import inf
from typing import Any, Generic, TypeVar

from threadpoolctl import threadpool_limits

from wqscore.execution.resources import cores

Result = TypeVar("Result")


@dataclass(frozen=True)
class Job(Generic[Result]):
    """Something to read, and the work to do on it.

    Attributes:
        read: reads it.
        work: works on what was read.
        memory: bytes that both take at their peak.
        name: what it is, for messages.
    """

    read: Callable[[], Any]
    work: Callable[[Any], Result]
    memory: int = 0
    name: str = ""


def one_blas_thread() -> AbstractContextManager[object]:
    """Keep BLAS at one thread: more would change the last bits of the eigenvalues, and be slower."""
    from wqscore.spectra import lapack

    lapack.load()
    limits: AbstractContextManager[object] = threadpool_limits(1, user_api="blas")
    return limits


def run_jobs(jobs: Sequence[Job[Result]], threads: int, memory: float = inf) -> Iterator[tuple[int, Result]]:
    """Run jobs in threads, read the next while some are worked on, and yield results as they come.

    NumPy's and LAPACK's routines release the interpreter's lock, so threads do, and nothing is copied between
    processes. Jobs start in the given order, except those that wait for memory; up to twice
    `threads` are in memory at a time, half of them waiting. When one fails or the caller stops, those not yet started
    are dropped; the interpreter waits for the others at exit.

    Args:
        jobs: what to do, best the longest first.
        threads: how many work, and as many read.
        memory: bytes that jobs may take together; one that needs more runs alone.

    Yields:
        The index of a job and its result.
    """
    if not jobs:
        return
    readers, pool = ThreadPoolExecutor(threads), ThreadPoolExecutor(threads)
    waiting = deque(range(len(jobs)))
    begun: dict[Future[Result], int] = {}
    with one_blas_thread():
        try:
            while waiting or begun:
                free = memory - sum(jobs[index].memory for index in begun.values())
                while (
                    len(begun) < 2 * threads and (index := _next(jobs, waiting, free if begun else inf)) is not None
                ):
                    waiting.remove(index)
                    reading = readers.submit(jobs[index].read)
                    begun[pool.submit(_work, jobs[index], reading)] = index
                    free -= jobs[index].memory
                for future in wait(begun, return_when=FIRST_COMPLETED).done:
                    yield begun.pop(future), future.result()
        finally:
            readers.shutdown(wait=False, cancel_futures=True)
            pool.shutdown(wait=False, cancel_futures=True)


def _next(jobs: Sequence[Job[Result]], waiting: Iterable[int], free: float) -> int | None:
    """The index of the first waiting job that fits into the free memory."""
    return next((index for index in waiting if jobs[index].memory <= free), None)


def _work(job: Job[Result], reading: Future[Any]) -> Result:
    return job.work(reading.result())


def run_in_order(
    task: Callable[..., Result], arguments: Iterable[tuple[object, ...]], jobs: int | None = None
) -> Iterator[Result]:
    """Run a task on each set of arguments and yield the results in their order.

    When a task fails or the caller stops, those not yet started are dropped; the interpreter waits for the others at
    exit.

    Args:
        task: the function.
        arguments: one tuple of arguments for each call, taken as workers become free.
        jobs: threads; all cores if `None`.
    """
    workers = jobs or cores()
    pool = ThreadPoolExecutor(workers)
    waiting: deque[Future[Result]] = deque()
    try:
        for each in arguments:
            waiting.append(pool.submit(task, *each))
            if len(waiting) > workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)

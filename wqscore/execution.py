"""How the work is spread: threads on this machine, one BLAS thread in each, and others that read ahead of them."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

from threadpoolctl import threadpool_limits

Result = TypeVar("Result")


def one_blas_thread() -> AbstractContextManager[object]:
    """Keep BLAS at one thread: more would change the last bits of the eigenvalues, and be slower."""
    limits: AbstractContextManager[object] = threadpool_limits(1, user_api="blas")
    return limits


def run_in_order(
    task: Callable[..., Result], arguments: Iterable[tuple[object, ...]], jobs: int | None = None
) -> Iterator[Result]:
    """Run a task on each set of arguments and yield the results in their order.

    NumPy's LAPACK releases the interpreter lock, so threads do, and nothing is copied between processes. When a
    task fails or the caller stops, those not yet begun are dropped; the interpreter waits for the others at exit.

    Args:
        task: the function.
        arguments: one tuple of arguments for each call, taken as workers become free.
        jobs: threads; all cores if `None`.
    """
    workers = jobs or cores()
    pool = ThreadPoolExecutor(workers)
    waiting: deque[Future[Result]] = deque()
    with one_blas_thread():
        try:
            for each in arguments:
                waiting.append(pool.submit(task, *each))
                if len(waiting) > workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


@contextmanager
def reading_ahead(
    reads: Iterable[Callable[[], Result]], jobs: int | None = None
) -> Iterator[Iterator[Future[Result]]]:
    """Begin reads before their results are asked for, in threads of their own and in their order.

    Beside `run_in_order` with as many jobs, at most `jobs` results wait for a worker while as many are worked on.
    A read that fails tells so where its result is asked for. When the block is left, reads not yet begun are
    dropped, and the result of one under way is forgotten.

    Args:
        reads: the functions that read.
        jobs: threads, and how many reads are begun ahead; all cores if `None`.

    Yields:
        One future for each read.
    """
    ahead = jobs or cores()
    pool = ThreadPoolExecutor(ahead)

    def begun() -> Iterator[Future[Result]]:
        waiting: deque[Future[Result]] = deque()
        for read in reads:
            waiting.append(pool.submit(read))
            if len(waiting) == ahead:
                yield waiting.popleft()
        while waiting:
            yield waiting.popleft()

    try:
        yield begun()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def cores() -> int:
    """The cores this process may use: fewer than the machine has, in a container or a batch job."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1

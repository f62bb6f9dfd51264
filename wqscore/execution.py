"""How the work is spread: threads on this machine, one BLAS thread in each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import TypeVar

from joblib import Parallel, cpu_count, delayed
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

    NumPy's LAPACK releases the interpreter lock, so threads do, and nothing is copied between processes.

    Args:
        task: the function.
        arguments: one tuple of arguments for each call, taken as workers become free.
        jobs: threads; all cores if `None`.
    """
    with one_blas_thread():
        parallel = Parallel(
            n_jobs=jobs or cpu_count(),
            backend="threading",
            return_as="generator",
            pre_dispatch="n_jobs",
            batch_size=1,
        )
        yield from parallel(delayed(task)(*each) for each in arguments)

"""Dask: a running scheduler, and workers with a declared resource `memory` or with memory limits only."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

import dask
from distributed import Client, default_client
from distributed.client import FutureCancelledError
from distributed.scheduler import KilledWorker
from joblib import Parallel
from joblib._dask import DaskDistributedBackend

from wqscore.errors import UsageError
from wqscore.execution.cluster.worker import check_versions, versions

#: Dask runs a lost worker's tasks again by itself.
REPEATS = 0
FAILURES: tuple[type[Exception], ...] = (KilledWorker, FutureCancelledError, OSError, TimeoutError)
#: What a worker may declare: `dask worker --resources memory=64e9`.
_RESOURCE = "memory"
#: So many tasks for each that runs are sent ahead, or a worker would wait for the next one.
_QUEUED = 3
#: How long a scheduler and a first worker may take to answer.
_CONNECT_SECONDS, _WORKER_SECONDS = 10, 60


@contextmanager
def connected() -> Iterator[None]:
    """Connect to the scheduler of Dask's configuration, unless this process has a client.

    Raises:
        UsageError: none is named, or it does not answer, or it has no worker that could work.
    """
    try:
        _check_worker(default_client())
        yield
        return
    except ValueError:
        address = dask.config.get("scheduler-address", None)
    if not address:
        raise UsageError("--backend dask: no scheduler is named: set DASK_SCHEDULER_ADDRESS, as tcp://host:8786")
    with _quiet():
        try:
            client = Client(address, timeout=_CONNECT_SECONDS)
        except (OSError, TimeoutError, ValueError) as error:
            raise UsageError(f"--backend dask: no scheduler answers at {address}: {_line(error)}") from error
        with client:
            _check_worker(client)
            yield


def room(memory: int) -> int:
    """How many tasks of so many bytes all workers together have room for."""
    found = 0
    for worker in _workers():
        limit = worker["resources"][_RESOURCE] if _is_declared() else worker["memory_limit"]
        # 0 means no limit.
        found += min(worker["nthreads"], int(limit // memory)) if limit else worker["nthreads"]
    return found


def parallel(memory: int, tasks: int) -> Any:
    """Joblib's `Parallel` on the workers, whose results come as they are ready."""
    # A task that requests a resource no worker has declared would wait for ever.
    resources = {"resources": {_RESOURCE: memory}} if _is_declared() else {}
    backend = _Backend(client=default_client(), **resources)
    sent = tasks * _QUEUED if _keeps_to_itself(memory, tasks) else tasks
    return Parallel(backend=backend, return_as="generator_unordered", batch_size=1, pre_dispatch=sent)


def _keeps_to_itself(memory: int, tasks: int) -> bool:
    """Whether Dask by itself runs no more tasks at a time, so that more may wait there."""
    threads = sum(worker["nthreads"] for worker in _workers())
    return tasks >= room(memory) and (_is_declared() or room(memory) == threads)


class _Backend(DaskDistributedBackend):  # type: ignore[misc]
    """joblib's backend, but without endless waits for killed workers and without work in this process."""

    def submit(self, func: Callable[[], Any], callback: Callable[[Any], None]) -> Future[Any]:
        """Submit a task; report it to joblib also if it has killed its workers."""
        future: Future[Any] = super().submit(func, callback)

        def report(done: Future[Any]) -> None:
            if error := done.exception():
                callback(error)

        future.add_done_callback(report)
        return future

    def effective_n_jobs(self, n_jobs: int) -> int:
        """The threads of the workers; joblib would do the work of a single one here."""
        return max(2, int(super().effective_n_jobs(n_jobs)))


def _workers() -> list[dict[str, Any]]:
    return list(default_client().scheduler_info(n_workers=-1)["workers"].values())


def _is_declared() -> bool:
    return any(_RESOURCE in worker["resources"] for worker in _workers())


def _check_worker(client: Client) -> None:
    """Compare one worker's versions with ours; an adaptive cluster starts a worker for it."""
    try:
        found = client.submit(versions, pure=False).result(timeout=_WORKER_SECONDS)
    except Exception as error:
        where = client.scheduler.address
        raise UsageError(f"--backend dask: no worker of {where} can run wqscore: {_line(error)}") from error
    check_versions(found, versions())


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence Dask, which logs a traceback when a scheduler is lost; our one-line error reports it."""
    # Dask's configuration sets the level of the second logger separately.
    loggers = [logging.getLogger(name) for name in ("distributed", "distributed.client")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__

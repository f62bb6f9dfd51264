"""Ray: a cluster that is running, and its resource `memory`."""

from __future__ import annotations

import logging
import os
import re
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

import ray
from joblib import Parallel
from ray.util.joblib.ray_backend import RayBackend

from wqscore.errors import UsageError
from wqscore.execution.cluster.worker import check_versions, versions

#: A dead actor fails the whole call.
REPEATS = 2
FAILURES: tuple[type[Exception], ...] = (ray.exceptions.RayError,)
#: How long a host may take to answer, a head node to let us in, and a first worker to start.
_CONNECT_SECONDS, _INIT_SECONDS, _WORKER_SECONDS = 10, 30, 60


@contextmanager
def connected() -> Iterator[None]:
    """Connect to the cluster of RAY_ADDRESS, or the one of this machine, unless this process is connected.

    Raises:
        UsageError: there is none, or it does not answer, or it has no worker that could work.
    """
    if ray.is_initialized():
        _check_worker()
        yield
        return
    address = os.environ.get("RAY_ADDRESS") or "auto"
    _check_address(address)
    _init(address)
    try:
        _check_worker()
        yield
    finally:
        ray.shutdown()


def room(memory: int) -> int:
    """How many tasks of so many bytes all nodes together have room for."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return sum(min(int(node.get("CPU", 0)), int(node.get("memory", 0) // memory)) for node in nodes)


def parallel(memory: int, tasks: int) -> Any:
    """Joblib's `Parallel` on actors, whose results come as they are ready."""
    # joblib would do the work of a single actor in this process: two share its memory, and one of them has work.
    actors = max(2, tasks)
    backend = _Backend(ray_remote_args={"memory": memory * tasks // actors})
    return Parallel(
        n_jobs=actors,
        backend=backend,
        return_as="generator_unordered",
        batch_size=1,
        pre_dispatch=tasks,
        max_nbytes=None,
    )


class _Backend(RayBackend):  # type: ignore[misc]
    """Ray's joblib backend, declared able to return results one by one, which it is."""

    supports_return_generator = True


def _init(address: str) -> None:
    """Connect in a thread and give up on it after a time limit: Ray tries a wrong address for minutes."""
    done: Future[None] = Future()

    def connect() -> None:
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
            done.set_result(None)
        except Exception as error:
            done.set_exception(error)

    threading.Thread(target=connect, daemon=True).start()
    try:
        done.result(_INIT_SECONDS)
    except Exception as error:
        raise UsageError(
            f"--backend ray: no cluster answers at {address}: set RAY_ADDRESS, as host:6379: {_line(error)}"
        ) from error


def _check_address(address: str) -> None:
    """Fail at once if nothing listens at the address."""
    found = re.fullmatch(r"(?:ray://)?(.+):(\d+)", address)
    if found is None:
        return
    try:
        socket.create_connection((found[1].strip("[]"), int(found[2])), _CONNECT_SECONDS).close()
    except (OSError, OverflowError, UnicodeError) as error:
        raise UsageError(f"--backend ray: no cluster answers at {address}: {_line(error)}") from error


def _check_worker() -> None:
    """Compare one worker's versions with those of this process."""
    try:
        found = ray.get(ray.remote(_versions).remote(), timeout=_WORKER_SECONDS)
    except Exception as error:
        raise UsageError(f"--backend ray: no worker can run wqscore: {_line(error)}") from error
    check_versions(found, versions())


def _versions() -> str:
    # Ray takes only a plain function, not a cached one.
    return versions()


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__

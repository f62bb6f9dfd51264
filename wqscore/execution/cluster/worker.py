"""Run jobs on a cluster's worker, after checking its versions."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version

from wqscore.errors import UsageError
from wqscore.execution.threads import Job, Result, one_blas_thread
from wqscore.version import __version__


def do_jobs(jobs: Sequence[tuple[int, Job[Result]]], expected: str) -> list[tuple[int, Result]]:
    """Read and work in this process, one job after the other.

    Args:
        jobs: each with its index, returned with the result because results come in any order.
        expected: the versions of the process that sent the jobs.

    Raises:
        UsageError: this process has other versions.
    """
    check_versions(versions(), expected)
    _keep_one_blas_thread()
    return [(place, job.work(job.read())) for place, job in jobs]


@cache
def versions() -> str:
    """Versions of everything besides the processor that decides a result's bits."""
    return ", ".join(
        [f"wqscore {__version__}", *(f"{name} {version(name)}" for name in ("numpy", "scipy-openblas32", "numba"))]
    )


def check_versions(found: str, expected: str) -> None:
    """Refuse a worker that could compute other bits.

    Raises:
        UsageError: its versions are others.
    """
    if found != expected:
        raise UsageError(
            f"a worker on {platform.node()} has {found}, this process {expected}: install the same everywhere"
        )


@cache
def _keep_one_blas_thread() -> None:
    # Never undone: the first of a worker's threads to leave the limit would lift it for the others.
    one_blas_thread()

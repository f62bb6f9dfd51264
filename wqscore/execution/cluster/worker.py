"""What a worker does."""

from __future__ import annotations

import platform
from functools import cache
from importlib.metadata import version

from wqscore.errors import UsageError
from wqscore.execution.threads import Job, Result, one_blas_thread
from wqscore.version import __version__


def do_job(place: int, job: Job[Result], expected: str) -> tuple[int, Result]:
    """Read and work in this process.

    Args:
        place: given back, for results come in any order.
        job: what to do.
        expected: the versions of the process that asks.

    Raises:
        UsageError: this process has others.
    """
    check_versions(versions(), expected)
    _keep_one_blas_thread()
    return place, job.work(job.read())


@cache
def versions() -> str:
    """What decides on the bits of a result beside the processor."""
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
    # For good: of several threads of a worker the first to leave would free the others'.
    one_blas_thread()

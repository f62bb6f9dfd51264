"""Small jobs done together, so that handing them to threads takes little beside doing them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

from wqscore.execution.threads import Job, run_jobs

Result = TypeVar("Result")

#: The most bytes that the jobs of a bundle take together.
_MOST_MEMORY = 8 << 20
#: Bundles for each thread, at least, so that none is left with much at the end.
_BUNDLES = 8


def run_in_bundles(jobs: Sequence[Job[Result]], threads: int, memory: float) -> Iterator[tuple[int, Result]]:
    """Run jobs in threads as `run_jobs` does, small ones that follow each other in one go; arguments as there."""
    most = -(-len(jobs) // (_BUNDLES * threads))
    bundles = bundled([job.memory for job in jobs], most, min(_MOST_MEMORY, memory / (4 * threads)))
    together = [_together([jobs[place] for place in bundle]) for bundle in bundles]
    for number, results in run_jobs(together, threads, memory):
        yield from zip(bundles[number], results, strict=True)


def bundled(sizes: Sequence[int], most: int, memory: float) -> list[range]:
    """Places of jobs that follow each other, in bundles.

    Args:
        sizes: bytes that each job takes.
        most: jobs in a bundle, at most; at least 1.
        memory: the most bytes that the jobs of a bundle take together, unless it is a single one.
    """
    bundles: list[range] = []
    start = 0
    while start < len(sizes):
        end, taken = start + 1, sizes[start]
        while end < min(len(sizes), start + most) and taken + sizes[end] <= memory:
            taken += sizes[end]
            end += 1
        bundles.append(range(start, end))
        start = end
    return bundles


def _together(jobs: Sequence[Job[Result]]) -> Job[list[Result]]:
    return Job(partial(_read, jobs), partial(_work, jobs), sum(job.memory for job in jobs), jobs[0].name)


def _read(jobs: Sequence[Job[Any]]) -> list[Any]:
    return [job.read() for job in jobs]


def _work(jobs: Sequence[Job[Result]], contents: list[Any]) -> list[Result]:
    return [job.work(content) for job, content in zip(jobs, contents, strict=True)]

"""Run a study's jobs, each of which measures the matrices of one tensor, or of some, together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from wqscore.execution.progress import ScoreProgress
from wqscore.execution.resources import Resources, budget_for_jobs
from wqscore.execution.threads import Job, run_jobs

Found = TypeVar("Found")


def run_grouped(
    groups: Sequence[Sequence[int]],
    jobs: Sequence[Job[list[Found]]],
    resources: Resources,
    amounts: Sequence[tuple[int, int, int]] = (),
    progress: ScoreProgress | None = None,
) -> dict[int, Found]:
    """Run jobs, and put what each finds at the places of its group.

    Args:
        groups: for each job the places of what it measures.
        jobs: best the longest first; each finds something for each place, in order.
        resources: threads and memory.
        amounts: for each job what it advances `progress` by.
        progress: called as work is done.

    Raises:
        CheckpointError: a file changed or vanished meanwhile.
    """
    if progress:
        progress.start(*map(sum, zip((0, 0, 0), *amounts, strict=True)))
    found: dict[int, Found] = {}
    for index, results in run_jobs(jobs, resources.threads, budget_for_jobs(resources)):
        found |= zip(groups[index], results, strict=True)
        if progress:
            progress.advance(*amounts[index])
    return found

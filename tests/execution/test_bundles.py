"""Small jobs in one go: each is done once, none that is large waits for another, and threads share them."""

from __future__ import annotations

from functools import partial
from math import inf

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wqscore.execution.bundles import run_in_bundles
from wqscore.execution.threads import Job

MEGABYTE = 1 << 20


@settings(max_examples=examples(40), deadline=None)
@given(
    sizes=st.lists(st.sampled_from([0, 1, 100, MEGABYTE, 5 * MEGABYTE, 99 * MEGABYTE]), max_size=60),
    threads=st.integers(1, 4),
    memory=st.sampled_from([0.0, 10.0 * MEGABYTE, inf]),
)
def test_every_job_is_done_once_and_has_its_own_result(sizes: list[int], threads: int, memory: float) -> None:
    read: list[int] = []

    def note(place: int) -> int:
        read.append(place)
        return place

    jobs = [Job(partial(note, place), lambda place: place**2, size) for place, size in enumerate(sizes)]
    assert sorted(run_in_bundles(jobs, threads, memory)) == [(place, place**2) for place in range(len(sizes))]
    assert sorted(read) == list(range(len(sizes)))


def test_results_come_with_their_bundle() -> None:
    """Four bundles of eight for one thread, of four for two; what is large stays alone."""
    for threads, most in ((1, 4), (2, 2)):
        begun: list[int] = []
        jobs = [Job(partial(begun.append, place), lambda _: None, 1) for place in range(32)]
        results = run_in_bundles(jobs, threads, inf)
        next(results)
        assert len(begun) <= 2 * threads * most + 2 * most
        assert len(list(results)) == 31


def test_a_large_job_is_alone() -> None:
    begun: list[int] = []
    jobs = [Job(partial(begun.append, place), lambda _: None, 9 * MEGABYTE) for place in range(64)]
    results = run_in_bundles(jobs, 1, 20 * MEGABYTE)
    next(results)
    assert len(begun) <= 3
    results.close()  # type: ignore[attr-defined]

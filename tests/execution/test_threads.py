"""Tasks in threads: results arrive in order, failures are reported, tasks not yet started are dropped."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_info

from wqscore.execution.threads import Job, run_in_order, run_jobs
from wqscore.spectra import lapack


@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_results_come_in_order_whichever_is_ready_first(jobs: int) -> None:
    first_may_end = threading.Event()

    def task(i: int) -> int:
        if i == 0 and jobs > 1:
            first_may_end.wait(30)
        first_may_end.set()
        return i * i

    assert list(run_in_order(task, ((i,) for i in range(20)), jobs)) == [i * i for i in range(20)]


def test_a_failure_ends_the_run_and_drops_what_has_not_begun() -> None:
    begun: list[int] = []

    def task(i: int) -> float:
        begun.append(i)
        if i == 3:
            raise OSError("the disk is gone")
        return float(np.linalg.eigvalsh(np.eye(300) + i)[-1])

    with pytest.raises(OSError, match="the disk is gone"):
        list(run_in_order(task, ((i,) for i in range(1000)), 2))
    assert max(begun) < 10


def test_arguments_are_taken_as_workers_become_free() -> None:
    taken: list[int] = []

    def arguments() -> Iterator[tuple[int]]:
        for i in range(100):
            taken.append(i)
            yield (i,)

    results = run_in_order(lambda i: i, arguments(), 2)
    next(results)
    assert len(taken) <= 3
    results.close()


def test_blas_has_one_thread_while_jobs_run_and_its_own_number_after() -> None:
    def threads() -> set[int]:
        return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}

    lapack.load()
    before = threads()
    assert sorted(run_jobs([Job(int, lambda _: threads())] * 3, 2)) == [(0, {1}), (1, {1}), (2, {1})]
    assert threads() == before


def solved(number: int, _: object) -> float:
    return float(np.linalg.eigvalsh(np.eye(50) * number)[-1])


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_every_job_is_done_once_whatever_comes_first(threads: int) -> None:
    jobs = [Job(int, partial(solved, number)) for number in range(20)]
    assert sorted(run_jobs(jobs, threads)) == [(number, float(number)) for number in range(20)]


def test_what_is_read_is_worked_on_and_half_of_what_is_held_waits() -> None:
    """What was begun to be read and is not yet done, counted at every step."""
    lock, held, most = threading.Lock(), 0, 0

    def read(number: int) -> int:
        nonlocal held, most
        with lock:
            held += 1
            most = max(most, held)
        return number

    def work(number: int) -> int:
        nonlocal held
        with lock:
            held -= 1
        return number * number

    jobs = [Job(partial(read, number), work) for number in range(200)]
    assert sorted(run_jobs(jobs, 3)) == [(number, number * number) for number in range(200)]
    assert held == 0
    assert 3 <= most <= 6


def test_the_next_are_read_while_the_first_is_worked_on() -> None:
    may_end = threading.Event()
    begun: list[int] = []

    def read(number: int) -> int:
        begun.append(number)
        if number == 1:
            may_end.set()
        return number

    def work(number: int) -> int:
        assert may_end.wait(30), "nothing was read meanwhile"
        return number

    jobs = [Job(partial(read, number), work) for number in range(3)]
    assert sorted(run_jobs(jobs, 1)) == [(0, 0), (1, 1), (2, 2)]
    assert begun == [0, 1, 2]


@given(
    sizes=st.lists(st.integers(0, 12), min_size=1, max_size=25),
    memory=st.integers(0, 20),
    threads=st.integers(1, 4),
)
def test_no_more_is_taken_than_there_is_but_by_one_alone(sizes: list[int], memory: int, threads: int) -> None:
    lock, running = threading.Lock(), Counter[int]()
    taken: list[Counter[int]] = []

    def read(place: int) -> int:
        with lock:
            running[place] += 1
            taken.append(running.copy())
        return place

    def work(place: int) -> int:
        with lock:
            del running[place]
        return place

    jobs = [Job(partial(read, place), work, size) for place, size in enumerate(sizes)]
    assert sorted(run_jobs(jobs, threads, memory)) == [(place, place) for place in range(len(sizes))]
    for together in taken:
        assert len(together) == 1 or sum(sizes[place] for place in together) <= memory


def test_jobs_begin_in_their_order_but_for_those_that_wait_for_memory() -> None:
    begun: list[int] = []
    jobs = [Job(partial(begun.append, place), lambda _: None, size) for place, size in enumerate((9, 9, 1, 1))]
    assert len(list(run_jobs(jobs, 1, memory=10))) == 4
    assert begun == [0, 2, 1, 3]


@pytest.mark.parametrize("what", ["read", "work"])
def test_a_job_that_fails_tells_so_and_nothing_is_begun_after(what: str) -> None:
    begun: list[int] = []

    def act(which: str, place: int, _: object = None) -> int:
        if which == "read":
            begun.append(place)
        if place == 5 and which == what:
            raise OSError("the connection is gone")
        return place

    jobs = [Job(partial(act, "read", place), partial(act, "work", place)) for place in range(1000)]
    with pytest.raises(OSError, match="the connection is gone"):
        list(run_jobs(jobs, 2))
    assert max(begun) < 5 + 2 * 2 + 2


def test_leaving_early_drops_the_jobs_not_yet_begun() -> None:
    begun: list[int] = []
    results = run_jobs([Job(partial(begun.append, place), lambda _: None) for place in range(1000)], 2)
    next(results)
    results.close()
    assert max(begun) < 8


def test_without_jobs_no_library_is_loaded() -> None:
    code = "import sys; from wqscore.execution.threads import run_jobs; list(run_jobs([], 2))\n"
    code += "print('scipy_openblas32' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "False\n"

"""Tasks run in threads: results in order, failures told, what has not begun dropped."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from functools import partial

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from wqscore.execution import reading_ahead, run_in_order


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


def test_blas_has_one_thread_while_tasks_run_and_its_own_number_after() -> None:
    def threads() -> set[int]:
        return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}

    before = threads()
    assert list(run_in_order(lambda _: threads(), ((i,) for i in range(3)), 2)) == [{1}] * 3
    assert threads() == before


@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_reads_are_begun_ahead_in_their_order_and_never_more_than_jobs_wait(jobs: int) -> None:
    taken: list[int] = []

    def reads() -> Iterator[Callable[[], int]]:
        for i in range(20):
            taken.append(i)
            yield lambda i=i: i * i

    with reading_ahead(reads(), jobs) as results:
        for i, result in enumerate(results):
            assert len(taken) == min(i + jobs, 20)
            assert result.result(30) == i * i


def test_half_of_what_is_held_is_worked_on() -> None:
    """Beside `run_in_order`: what was read and is not yet done, counted at every step."""
    lock, held, most = threading.Lock(), 0, 0

    def read() -> int:
        nonlocal held, most
        with lock:
            held += 1
            most = max(most, held)
        return 0

    def work(reading: Future[int]) -> None:
        nonlocal held
        reading.result()
        with lock:
            held -= 1

    with reading_ahead([read] * 200, 3) as results:
        list(run_in_order(work, ((result,) for result in results), 3))
    assert held == 0
    assert 3 <= most <= 6


def test_a_read_that_fails_tells_so_in_its_turn_and_nothing_is_read_after() -> None:
    begun: list[int] = []

    def read(i: int) -> int:
        begun.append(i)
        if i == 5:
            raise OSError("the connection is gone")
        return i

    done: list[int] = []
    reads = (partial(read, i) for i in range(1000))
    with pytest.raises(OSError, match="the connection is gone"), reading_ahead(reads, 2) as results:
        done.extend(run_in_order(lambda result: result.result(), ((result,) for result in results), 2))
    assert done == [0, 1, 2, 3, 4]
    assert max(begun) < 5 + 2 * 2 + 2


def test_leaving_early_drops_the_reads_not_yet_begun() -> None:
    may_end = threading.Event()
    begun: list[int] = []

    def read(i: int) -> None:
        begun.append(i)
        may_end.wait(30)

    with reading_ahead((partial(read, i) for i in range(10)), 4) as results:
        next(results)
    may_end.set()
    assert max(begun) < 4

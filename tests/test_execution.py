"""Tasks run in threads: results in order, failures told, what has not begun dropped."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from wqscore.execution import run_in_order


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

"""Torch's threads while a task is measured."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.landscape.made import network, task_of
from tests.oracles import Oracle

torch = Oracle("torch")
module = Oracle("wqscore.landscape.threads")
pytestmark = pytest.mark.oracle("torch")


@pytest.fixture(autouse=True)
def seven_threads() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(7)
    yield
    torch.set_num_threads(before)


def threads(task: Any, jobs: int | None = None) -> int:
    with module.threads_for(task, jobs):
        found: int = torch.get_num_threads()
    assert torch.get_num_threads() == 7
    return found


def test_one_for_a_small_task_and_torch_s_own_number_for_others() -> None:
    small = task_of(network(8, 60, 3))
    assert threads(small) == 1
    assert threads(replace(small, model=network(8, 1500, 1500, 3))) == 7
    assert [threads(small, jobs) for jobs in (1, 3)] == [1, 3]


def test_they_are_given_back_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), module.threads_for(task_of(network(8, 5, 3)), 2):
        raise ZeroDivisionError
    assert torch.get_num_threads() == 7

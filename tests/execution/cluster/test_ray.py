"""A real Ray cluster of two processes: the bytes of the local run, and a worker's death costs only time.

Most of the time goes into starting Ray and its workers. The last run, on two shared cores (Ray 2.60, joblib 1.6): the
same bytes with a worker killed in the middle 24 s, two repeats and their end 32 s, classes of memory 9 s, all passed.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest

import wqscore
from tests.execution.cluster.conftest import KillsAWorker
from tests.oracles import Oracle
from wqscore.errors import CheckpointError
from wqscore.execution.cluster.run import run_on_cluster
from wqscore.execution.threads import Job

ray = Oracle("ray")
pytestmark = [pytest.mark.oracle("ray"), pytest.mark.slow]

GIGABYTE = 10**9


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, _memory=4 * GIGABYTE)
    yield
    ray.shutdown()


def at_work() -> int | None:
    """A process of the pool that has a task in hand: Ray writes so into its title."""
    children = psutil.Process().children(recursive=True)
    return next((child.pid for child in children if "PoolActor.run_batch" in "".join(child.cmdline())), None)


def test_the_same_bytes_as_here_though_a_worker_dies(cluster: None, model: Path) -> None:
    progress = KillsAWorker(at_work)
    there = wqscore.score(str(model), backend="ray", progress=progress)
    assert progress.killed is not None
    assert not psutil.pid_exists(progress.killed)
    here = wqscore.score(str(model), jobs=1)
    assert there.to_csv() == here.to_csv()
    assert there.summary == here.summary


def _read() -> int:
    return 1


def _add(found: int, other: int) -> int:
    return found + other


def _die(_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _die_unless_alone(mark: Path, _: object) -> str:
    """Leave a mark, and die the first two times."""
    tries = mark.read_text() if mark.exists() else ""
    mark.write_text(f"{tries}x")
    if len(tries) < 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return f"{tries}x"


def test_a_failed_call_is_repeated_twice_for_what_is_missing(cluster: None, tmp_path: Path) -> None:
    jobs = [Job(_read, partial(_die_unless_alone, tmp_path / "mark"))]
    assert list(run_on_cluster(jobs, "ray")) == [(0, "xxx")]
    with pytest.raises(CheckpointError, match=r"^the cluster failed on h\.0\.weight .* too little memory"):
        list(run_on_cluster([Job(_read, _die, name="h.0.weight")], "ray"))


def test_classes_of_memory(cluster: None) -> None:
    # 2 GB with the program: two at a time; 4 GB: one, and not in this process.
    jobs = [Job(_read, partial(_process, n), n * GIGABYTE) for n in (1, 1, 3, 1)]
    found = dict(run_on_cluster(jobs, "ray"))
    assert {place: n for place, (n, _) in found.items()} == {0: 1, 1: 1, 2: 3, 3: 1}
    assert os.getpid() not in {process for _, process in found.values()}
    with pytest.raises(CheckpointError, match=r"^embed\.weight takes up to 5\.0 GB .* no worker of the ray cluster"):
        list(run_on_cluster([*jobs, Job(_read, _die, 5 * GIGABYTE, "embed.weight")], "ray"))


def _process(n: int, _: object) -> tuple[int, int]:
    return n, os.getpid()

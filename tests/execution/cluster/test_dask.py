"""A real Dask cluster of three processes: the bytes of the local run, and a worker's death costs only time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import wqscore
from tests.execution.cluster.conftest import KillsAWorker
from tests.oracles import Oracle
from wqscore.checkpoints.tensor import TensorRef
from wqscore.errors import CheckpointError
from wqscore.execution.cluster.run import run_on_cluster
from wqscore.execution.threads import Job

distributed = Oracle("distributed")

GIGABYTE = 10**9


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with (
        distributed.LocalCluster(
            n_workers=3, threads_per_worker=1, memory_limit="4GB", dashboard_address=":0"
        ) as found,
        distributed.Client(found),
    ):
        yield found


@pytest.mark.oracle("distributed")
def test_the_same_bytes_as_here_though_a_worker_dies(cluster: Any, model: Path) -> None:
    client = distributed.default_client()
    processes = client.run(os.getpid)

    def at_work() -> int | None:
        return next((processes[worker] for worker, tasks in client.processing().items() if tasks), None)

    progress = KillsAWorker(at_work)
    there = wqscore.score(str(model), backend="dask", progress=progress)
    assert progress.killed in processes.values()
    assert progress.killed not in client.run(os.getpid).values()
    here = wqscore.score(str(model), jobs=1)
    assert there.to_csv() == here.to_csv()
    assert there.summary == here.summary


@pytest.mark.oracle("distributed")
def test_distances_from_a_base_are_the_same(cluster: Any, model: Path) -> None:
    there = wqscore.score(str(model), base=str(model), metrics="log_norm", bootstrap=0, gof=0, backend="dask")
    here = wqscore.score(str(model), base=str(model), metrics="log_norm", bootstrap=0, gof=0)
    assert there.to_csv() == here.to_csv()


@pytest.mark.oracle("distributed")
def test_what_the_workers_computed_is_remembered_here(
    cluster: Any, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A fresh file may be changed again under the same time.
    os.utime(model / "model.safetensors", (10**9, 10**9))
    store = tmp_path / "store.sqlite"
    there = wqscore.score(str(model), bootstrap=0, gof=0, backend="dask", store=store)
    monkeypatch.delattr(TensorRef, "read")
    again = wqscore.score(str(model), bootstrap=0, gof=0, store=store)
    assert again.to_csv() == there.to_csv()


@pytest.mark.oracle("distributed")
def test_on_the_command_line_by_the_address_of_the_environment(cluster: Any, model: Path) -> None:
    command = [str(Path(sys.executable).with_name("wqscore")), "score", str(model), "--format", "csv", "--no-store"]
    command += ["--bootstrap", "0", "--gof", "0", "--quiet"]
    there = subprocess.run(
        [*command, "--backend", "dask"],
        check=False,
        env=os.environ | {"DASK_SCHEDULER_ADDRESS": cluster.scheduler_address},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (there.returncode, there.stderr) == (0, "")
    assert there.stdout == wqscore.score(str(model), bootstrap=0, gof=0).to_csv()


def _add(found: int, other: int) -> int:
    return found + other


def _die(_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _fail(_: object) -> None:
    raise CheckpointError("model.safetensors: ends inside a tensor")


def _read() -> int:
    return 1


@pytest.mark.oracle("distributed")
def test_a_job_larger_than_any_worker_is_an_error_and_nothing_runs(cluster: Any) -> None:
    jobs = [Job(_read, _die), Job(_read, _die, 5 * GIGABYTE, "embed.weight")]
    with pytest.raises(CheckpointError, match=r"^embed\.weight takes up to 5\.0 GB .* no worker of the dask cluster"):
        list(run_on_cluster(jobs, "dask"))


@pytest.mark.oracle("distributed")
def test_an_error_of_a_job_is_told_as_it_is(cluster: Any) -> None:
    jobs = [Job(_read, partial(_add, other)) for other in range(5)] + [Job(_read, _fail)]
    with pytest.raises(CheckpointError, match=r"^model\.safetensors: ends inside a tensor$"):
        list(run_on_cluster(jobs, "dask"))


@pytest.mark.slow
def test_a_job_that_kills_every_worker_ends_the_run(cluster: Any) -> None:
    with pytest.raises(CheckpointError, match=r"^the cluster failed on h\.0\.weight .* too little memory"):
        list(run_on_cluster([Job(_read, _die, name="h.0.weight")], "dask"))
    places = range(6)
    found = run_on_cluster([Job(_read, partial(_add, place)) for place in places], "dask")
    assert sorted(found) == [(place, place + 1) for place in places]


class _Counted:
    """How many of these tasks run at a time, of the threads of one process."""

    lock = threading.Lock()
    running = most = 0

    def __call__(self, found: int) -> int:
        with self.lock:
            _Counted.running += 1
            _Counted.most = max(_Counted.most, _Counted.running)
        end = time.perf_counter() + 0.005
        while time.perf_counter() < end:
            pass
        with self.lock:
            _Counted.running -= 1
        return found


@pytest.mark.oracle("distributed")
@pytest.mark.parametrize(
    ("resources", "jobs", "most"), [({}, None, 3), ({}, 1, 1), ({"memory": 1e9}, None, 1), ({"memory": 4e9}, 2, 2)]
)
def test_what_waits_on_the_cluster_runs_no_sooner(resources: dict[str, float], jobs: int | None, most: int) -> None:
    """More tasks are sent than run; --jobs and the declared memory still say how many run."""
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=3, processes=False, resources=resources, dashboard_address=":0"
        ) as found,
        distributed.Client(found),
    ):
        _Counted.most = 0
        tasks = [Job(_read, _Counted(), 10**8) for _ in range(24)]
        assert sorted(run_on_cluster(tasks, "dask", jobs)) == [(n, 1) for n in range(24)]
        assert 1 <= _Counted.most <= most


@pytest.mark.oracle("distributed")
def test_a_declared_resource_is_what_counts() -> None:
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, resources={"memory": 2e9}, dashboard_address=":0"
        ) as found,
        distributed.Client(found),
    ):
        assert sorted(run_on_cluster([Job(_read, partial(_add, n)) for n in range(4)], "dask")) == [
            (n, n + 1) for n in range(4)
        ]
        with pytest.raises(CheckpointError, match="no worker of the dask cluster has that"):
            list(run_on_cluster([Job(_read, _die, 3 * GIGABYTE, "x")], "dask"))

"""What work costs on a Dask cluster beside itself: 10,000 jobs of nothing, and a model of 10,000 small matrices.

A scheduler and 1, 2 and 4 workers of one thread, all processes of this machine. "ms a job": from start to end, over
jobs that do nothing and take no memory, so that as many share a task as may; "a large job": one that takes 100 MB,
and so has a task of its own. "CPU": processor time of all these processes. The model has 10,000 matrices of 64 × 64
in one file; it is scored by this process's own threads too, by as many as there are workers. "Sent" and "returned":
bytes of the pickled jobs and results, for each matrix. Target: at most 5 ms a job.

Usage: python -m benchmarks.cluster_overhead [--tasks N]
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, TypeVar
from unittest import mock

import cloudpickle
import numpy as np
import psutil
from distributed import Client, LocalCluster
from safetensors.numpy import save_file

import wqscore
from benchmarks.machine import machine_line
from wqscore.execution.cluster.run import _shares, run_on_cluster
from wqscore.execution.cluster.worker import do_jobs, versions
from wqscore.execution.resources import Backend
from wqscore.execution.threads import Job

T = TypeVar("T")
TASKS, SIDE, WORKERS, TARGET = 10_000, 64, (1, 2, 4), 5.0


def nothing(value: int | None = None) -> int | None:
    """Do nothing."""
    return value


def taken(work: Callable[[], T]) -> tuple[T, float, float]:
    """What some work gives, and its seconds: by the clock, and of the processor in this process and its children."""
    start, before = perf_counter(), _processor()
    found = work()
    return found, perf_counter() - start, _processor() - before


def _processor() -> float:
    this = psutil.Process()
    times = [process.cpu_times() for process in (this, *this.children(recursive=True))]
    return sum(each.user + each.system for each in times)


def empty(tasks: int, memory: int = 0) -> list[float]:
    """Milliseconds of a job that does nothing, by the clock and of the processor."""
    jobs = [Job(nothing, nothing, memory, str(number)) for number in range(tasks)]
    found, wall, cpu = taken(lambda: sorted(place for place, _ in run_on_cluster(jobs, "dask")))
    assert found == list(range(tasks))
    return [1e3 * wall / tasks, 1e3 * cpu / tasks]


def write_model(folder: Path, tasks: int) -> None:
    """A file of small matrices."""
    weights = np.random.default_rng(0).standard_normal((tasks, SIDE, SIDE)).astype("f2")
    save_file({f"layers.{i}.mlp.fc1.weight": each for i, each in enumerate(weights)}, folder / "model.safetensors")


def scored(folder: Path, backend: Backend, jobs: int) -> str:
    """Score the model, and return its rows."""
    return wqscore.score(str(folder), backend=backend, jobs=jobs, bootstrap=0, gof=0).to_csv()


def moved(folder: Path, workers: int, tasks: int) -> tuple[float, float]:
    """Bytes of a matrix that are sent to workers, and returned."""
    jobs: list[Job[Any]] = []

    def take(found: Sequence[Job[Any]], *_: object) -> Iterator[Any]:
        jobs.extend(found)
        return iter(())

    # Without results there is no score.
    with mock.patch("wqscore.scoring.score_tensor.run_on_cluster", take), suppress(wqscore.WqscoreError):
        scored(folder, "dask", workers)
    shares = [[(place, jobs[place]) for place in share] for share in _shares(range(tasks), jobs, workers)]
    sent = sum(len(cloudpickle.dumps((do_jobs, share, versions()))) for share in shares)
    returned = len(cloudpickle.dumps(do_jobs(shares[0], versions()))) / len(shares[0])
    return sent / tasks, returned


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tasks", type=int, default=TASKS)
    tasks = parser.parse_args().tasks
    print(machine_line(["wqscore", "numpy", "dask", "distributed", "joblib"]))
    print(f"{tasks:,} jobs, {tasks // 10:,} large ones; a load of {os.getloadavg()[0]:.0f}")
    heads = ["workers", "ms a job", "CPU", "ms a large job", "CPU", "model, s", "CPU", "by threads", "CPU"]
    heads += ["CPU ms a matrix more", "sent", "returned"]
    print(" ".join(f"{head:>7}" for head in heads))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_model(folder, tasks)
        for workers in WORKERS:
            with LocalCluster(workers, threads_per_worker=1, dashboard_address=None) as made, Client(made):
                empty(100), scored(folder, "dask", workers)
                small, large = empty(tasks), empty(tasks // 10, 10**8)
                rows, *there = taken(partial(scored, folder, "dask", workers))
                bytes_moved = moved(folder, workers, tasks)
            expected, *here = taken(partial(scored, folder, "threads", workers))
            assert rows == expected
            figures = [*small, *large, *there, *here, 1e3 * (there[1] - here[1]) / tasks, *bytes_moved]
            shown = [f"{figure:>{max(7, len(head))}.2f}" for head, figure in zip(heads[1:], figures, strict=True)]
            print(
                f"{workers:>7} {' '.join(shown)}{' misses' if max(small[0], large[0]) > TARGET else ''}", flush=True
            )


if __name__ == "__main__":
    main()

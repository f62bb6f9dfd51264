"""Cluster code that needs no cluster: memory classes, a worker's refusals, and messages about missing packages."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import wqscore
from wqscore.errors import UsageError
from wqscore.execution.cluster.run import _shares, connected, memory_class
from wqscore.execution.cluster.worker import check_versions, do_jobs, versions
from wqscore.execution.resources import program_memory
from wqscore.execution.threads import Job


@given(st.integers(0, 10**15))
def test_a_class_holds_the_task_and_the_program_and_not_twice_as_much(memory: int) -> None:
    needed, found = memory + program_memory(1), memory_class(memory)
    assert found >= needed
    assert found == 10**9 or found < 2 * needed
    assert (found // 10**9).bit_count() == 1


@given(st.lists(st.integers(0, 10**8), max_size=300), st.integers(1, 20))
def test_small_jobs_share_a_task_and_every_worker_has_its_share(memories: list[int], tasks: int) -> None:
    jobs = [Job(int, int, memory) for memory in memories]
    places = list(range(len(jobs)))[::-1]
    shares = _shares(places, jobs, tasks)
    assert [place for share in shares for place in share] == places
    for share in shares:
        assert 1 <= len(share) <= max(1, len(places) // (8 * tasks))
        assert len(share) == 1 or sum(memories[place] for place in share) <= 16_000_000
    # None is begun before the one before it is full.
    for share, following in pairwise(shares):
        full = len(share) == min(64, max(1, len(places) // (8 * tasks)))
        assert full or sum(memories[place] for place in [*share, following[0]]) > 16_000_000


def test_large_jobs_have_a_task_each() -> None:
    assert _shares(list(range(500)), [Job(int, int, 10**8)] * 500, 2) == [[place] for place in range(500)]
    assert len(_shares(list(range(10_000)), [Job(int, int, 10**5)] * 10_000, 2)) == 157


def test_a_worker_with_other_versions_is_refused() -> None:
    jobs = [(7, Job(lambda: 2, lambda found: found + 1)), (5, Job(lambda: 1, lambda found: found))]
    assert do_jobs(jobs, versions()) == [(7, 3), (5, 1)]
    with pytest.raises(
        UsageError, match=r"^a worker on \S+ has wqscore .*, this process wqscore 0\.1\.0, .*: install"
    ):
        do_jobs(jobs, "wqscore 0.1.0, numpy 2.0.0")
    check_versions(versions(), versions())


def test_no_such_backend() -> None:
    with pytest.raises(UsageError, match="choose from threads, dask, ray"):
        wqscore.score("bert-base", backend="slurm")  # type: ignore[arg-type]


@pytest.mark.parametrize(("backend", "package"), [("dask", "distributed"), ("ray", "ray"), ("dask", "joblib")])
def test_a_package_that_is_not_installed_is_named(
    backend: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, f"wqscore.execution.cluster.{backend}", raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UsageError, match=rf"wqscore\[{backend}\]"), connected(backend):  # type: ignore[arg-type]
        pass


@pytest.mark.oracle("distributed", "ray")
@pytest.mark.parametrize(
    ("backend", "variable", "address", "complaint"),
    [
        ("dask", "DASK_SCHEDULER_ADDRESS", "", "no scheduler is named: set DASK_SCHEDULER_ADDRESS"),
        ("dask", "DASK_SCHEDULER_ADDRESS", "nonsense", "no scheduler answers at nonsense: missing port"),
        ("ray", "RAY_ADDRESS", "127.0.0.1:1", "no cluster answers at 127.0.0.1:1"),
        ("ray", "RAY_ADDRESS", "nonsense", "set RAY_ADDRESS"),
    ],
)
def test_without_a_cluster_it_is_wrong_usage(
    backend: str, variable: str, address: str, complaint: str, tmp_path: Path
) -> None:
    (tmp_path / "model.npz").write_bytes(b"")
    found = subprocess.run(
        [Path(sysconfig.get_path("scripts")) / "wqscore", "score", tmp_path, "--no-store", "--backend", backend],
        check=False,
        env=os.environ | {variable: address},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert found.returncode == 2
    assert found.stderr.startswith("wqscore: ")
    assert complaint in found.stderr
    assert found.stderr.count("\n") == 1

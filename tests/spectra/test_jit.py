"""Compiled loops work where nothing can be kept of them."""

from __future__ import annotations

from typing import NoReturn

import pytest
from numba.core import caching

from wqscore.spectra.jit import compiled


@compiled
def double(value: float) -> float:
    return value + value


@compiled
def half(value: float) -> float:
    return value / 2


@compiled
def both(value: float) -> float:
    return double(value) + half(value)


def test_a_full_disk_costs_the_cache_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every one of the functions that call one another fails to be kept."""
    tried = []

    def fail(self: object, *arguments: object) -> NoReturn:
        tried.append(arguments)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(caching.IndexDataCacheFile, "load", lambda *_: None)
    monkeypatch.setattr(caching.IndexDataCacheFile, "save", fail)
    assert both(3.0) == 7.5
    assert len(tried) == 3
    assert both(5.0) == 12.5
    assert len(tried) == 3

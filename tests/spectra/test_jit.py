"""Compiled loops work where nothing can be kept of them, and take numba's settings from the environment alone."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import NoReturn

import numba
import numpy as np
import pytest
from numba.core import caching

from wqscore.errors import UsageError
from wqscore.spectra import jit
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


@pytest.mark.parametrize("kind", ["file", "link", "folder"])
def test_settings_of_numba_in_the_working_folder_are_refused(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They name the folder of its cache, whose index is a pickle that runs: `cd model && wqscore score .`."""
    settings = tmp_path / ".numba_config.yaml"
    {
        "file": lambda: settings.write_text("cache_dir: ./cache\n"),
        "link": lambda: settings.symlink_to(tmp_path / "later"),
        "folder": settings.mkdir,
    }[kind]()
    monkeypatch.chdir(tmp_path)

    @compiled
    def total(values: np.ndarray) -> float:
        return float(values.sum())

    with pytest.raises(UsageError, match=r"the working folder has a \.numba_config\.yaml"):
        total(np.ones(3))


def test_loading_numba_leaves_the_collection_of_garbage_as_it_was() -> None:
    for collects in (True, False):
        (gc.enable if collects else gc.disable)()
        try:
            jit._njit.cache_clear()
            assert jit._njit() is numba.njit
            assert gc.isenabled() is collects
        finally:
            gc.enable()

"""numba's settings are taken from the environment alone: a file of them in the working folder is a stranger's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from wqscore.errors import UsageError
from wqscore.spectra.jit import compiled


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

"""Scores of a watch that are made in this process, at once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from wqscore.studies.watching import process, watch


class Ended:
    """A process that has ended with a code; `None` for one that runs until it is waited for."""

    def __init__(self, code: int | None = 0) -> None:
        self.code = code

    def poll(self) -> int | None:
        return self.code

    def wait(self) -> int:
        self.code = 0 if self.code is None else self.code
        return self.code

    def kill(self) -> None:
        self.code = -9


def score_here(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Let a watch score in this process; returns the snapshots' folders, which grow with each."""
    folders: list[Path] = []

    def start(folder: Path, settings: Mapping[str, Any]) -> Ended:
        (folder / process.REQUEST).write_text(json.dumps(settings))
        (folder / process.ERRORS).touch()
        monkeypatch.setattr("sys.argv", ["-c", str(folder)])
        monkeypatch.setattr("os.nice", lambda by: 0)
        process.main()
        folders.append(folder)
        return Ended()

    monkeypatch.setattr(watch, "start", start)
    return folders

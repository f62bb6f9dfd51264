"""Callbacks through which a run reports its progress."""

from __future__ import annotations

from typing import Protocol

from wqscore.refs.reference import ModelRef


class ScoreProgress(Protocol):
    """Receives the progress of scoring one model."""

    def start(self, matrices: int, size: int, cost: int) -> None:
        """Called once, with the matrices to score, the bytes to read, and what that costs, in no unit."""

    def advance(self, matrices: int, size: int, cost: int) -> None:
        """Called after each tensor, with the matrices scored, the bytes read, and what of the cost is spent."""


class RankProgress(Protocol):
    """Receives the progress of a ranking."""

    def model(self, ref: ModelRef) -> ScoreProgress | None:
        """Called before each model; the returned object receives that model's progress."""

    def fetching(self, file: str, size: int) -> None:
        """Called before each download, with the file's name and bytes."""

    def note(self, text: str) -> None:
        """Called with a one-line notice when the run departs from what was requested."""

    def crosschecking(self, ref: ModelRef) -> None:
        """Called by `crosscheck` before WeightWatcher runs."""

    def failed(self, ref: ModelRef, reason: str) -> None:
        """Called when a model could not be scored."""

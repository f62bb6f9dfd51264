"""A bar for each model on standard error: matrices done, bytes read, time left."""

from __future__ import annotations

import sys
from time import perf_counter
from types import TracebackType

from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from wqscore.cli.exits import complain
from wqscore.ranking import Failure
from wqscore.refs import ModelRef


class ProgressBars:
    """Shows a bar per model on a terminal, a line per model elsewhere, nothing when quiet.

    Use as a context manager around `wqscore.rank` or `wqscore.score`. A failure is always told.
    """

    def __init__(self, quiet: bool) -> None:
        console = Console(stderr=True)
        self._lines = not quiet and not console.is_terminal
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[matrices]} matrices"),
            DownloadColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=quiet or not console.is_terminal,
        )
        self._open: _ModelBar | None = None

    def __enter__(self) -> ProgressBars:
        """Start drawing."""
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop drawing and leave the finished bars."""
        if error is None:
            self._close()
        self._bars.stop()

    def model(self, ref: ModelRef) -> _ModelBar:
        """Begin a model."""
        self._close()
        self._open = _ModelBar(self._bars, ref.label)
        return self._open

    def fetching(self, file: str, size: int) -> None:
        """Say what is being downloaded."""
        message = f"fetching {file} ({decimal(size)})"
        if self._lines:
            sys.stderr.write(f"{message}\n")
        elif self._open is not None:
            self._open.say(message)

    def failed(self, failure: Failure) -> None:
        """Say why a model could not be scored, and drop its bar."""
        if self._open is not None:
            self._open.drop()
            self._open = None
        complain(failure.reason)

    def _close(self) -> None:
        if self._open is not None and self._lines:
            sys.stderr.write(f"{self._open.report()}\n")
        self._open = None


class _ModelBar:
    """The bar of one model."""

    def __init__(self, bars: Progress, label: str) -> None:
        self._bars = bars
        self._label = label
        self._started = perf_counter()
        self._done = self._total = self._size = 0
        self._task: TaskID = bars.add_task(label, total=None, matrices="–")

    def say(self, message: str) -> None:
        """Show a message beside the model's name."""
        self._bars.update(self._task, description=f"{self._label}: {message}")

    def start(self, matrices: int, size: int) -> None:
        """Set how much there is to do."""
        self._total, self._size = matrices, size
        self._bars.update(self._task, description=self._label, total=size, matrices=f"0/{matrices}")

    def advance(self, matrices: int, size: int) -> None:
        """Count what is done."""
        self._done += matrices
        self._bars.update(self._task, advance=size, matrices=f"{self._done}/{self._total}")

    def drop(self) -> None:
        """Remove the bar."""
        self._bars.remove_task(self._task)

    def report(self) -> str:
        """One line about a finished model, for a log."""
        seconds = perf_counter() - self._started
        return f"{self._label}: {self._done} matrices, {decimal(self._size)}, {seconds:.1f} s"

"""Progress bars on standard error, one per model: matrices done, bytes read, time left."""

from __future__ import annotations

import sys
from time import perf_counter
from types import TracebackType

from rich.cells import cell_len
from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from wqscore.cli.exits import complaint
from wqscore.refs.reference import ModelRef

#: A terminal with fewer columns gets a short bar, and no bytes.
_NARROW = 70


class ProgressBars:
    """Shows a bar for the current model on a terminal, and a line for each finished one; nothing when quiet.

    Use as a context manager around `wqscore.rank` or `wqscore.score`. A failure is always printed.
    """

    def __init__(self, quiet: bool) -> None:
        # Decided by standard error alone: with FORCE_COLOR, rich would draw bars into a log.
        terminal = sys.stderr.isatty()
        console = Console(stderr=True, force_terminal=terminal, highlight=False)
        self._quiet = quiet
        self._narrow = console.width < _NARROW
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=8 if self._narrow else 20),
            TextColumn("{task.fields[status]}", markup=False),
            TimeRemainingColumn(compact=True),
            console=console,
            # There may be more models than lines on the terminal: a finished bar becomes a line above.
            transient=True,
            disable=quiet or not terminal,
        )
        self._open: _ModelBar | None = None

    def __enter__(self) -> ProgressBars:
        """Start drawing."""
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop drawing."""
        if error is None:
            self._close()
        self._bars.stop()

    def model(self, ref: ModelRef) -> _ModelBar:
        """Show a model's bar in place of the last one's."""
        self._close()
        self._open = _ModelBar(self._bars, ref.label, self._narrow)
        return self._open

    def fetching(self, file: str, size: int) -> None:
        """Show which file is being downloaded."""
        if self._open is not None:
            self._open.fetch(size)
        if self._bars.disable and not self._quiet:
            self._say(f"fetching {file} ({decimal(size)})")

    def note(self, text: str) -> None:
        """Print a notice that the run departs from what was requested."""
        if not self._quiet:
            self._say(text)

    def crosschecking(self, ref: ModelRef) -> None:
        """Print that wqscore is done and WeightWatcher starts."""
        self._close()
        if not self._quiet:
            self._say(f"{ref.label}: now WeightWatcher, which takes longer")

    def failed(self, ref: ModelRef, reason: str) -> None:
        """Print why a model could not be scored, and remove its bar."""
        if self._open is not None:
            self._open.drop()
            self._open = None
        self._say(complaint(reason))

    def _close(self) -> None:
        if self._open is not None:
            self._open.drop()
            if not self._quiet:
                self._say(self._open.report())
        self._open = None

    def _say(self, line: str) -> None:
        # Text, not str: names may look like markup.
        self._bars.console.print(Text(line), soft_wrap=True)


class _ModelBar:
    """The bar of one model."""

    def __init__(self, bars: Progress, label: str, narrow: bool) -> None:
        self._bars = bars
        self._label = label
        self._narrow = narrow
        self._started = perf_counter()
        self._matrices = self._bytes = self._all_matrices = self._all_bytes = 0
        shown = _ending(label, bars.console.width // 3)
        self._task: TaskID = bars.add_task(shown, total=None, status="")

    def fetch(self, size: int) -> None:
        """Show that a file is being downloaded."""
        self._bars.update(self._task, status=f"fetching {decimal(size)}")

    def start(self, matrices: int, size: int, cost: int) -> None:
        """Set the totals; the bar and the time left follow the cost, since large matrices take longest."""
        self._all_matrices, self._all_bytes = matrices, size
        self._bars.update(self._task, total=cost, status=self._status())

    def advance(self, matrices: int, size: int, cost: int) -> None:
        """Add finished work."""
        self._matrices += matrices
        self._bytes += size
        self._bars.update(self._task, advance=cost, status=self._status())

    def drop(self) -> None:
        """Remove the bar."""
        self._bars.remove_task(self._task)

    def report(self) -> str:
        """One line about a finished model."""
        seconds = perf_counter() - self._started
        noun = "matrix" if self._matrices == 1 else "matrices"
        return f"{self._label}: {self._matrices} {noun}, {decimal(self._all_bytes)}, {seconds:.1f} s"

    def _status(self) -> str:
        done = f"{self._matrices}/{self._all_matrices}"
        return done if self._narrow else f"{done} matrices {decimal(self._bytes)}/{decimal(self._all_bytes)}"


def _ending(text: str, width: int) -> str:
    """The end of a name, cut to a width: a path's end says more than its beginning."""
    shown = text
    while cell_len(shown) > width and text:
        text = text[1:]
        shown = f"…{text}"
    return shown

"""Log a live model's metrics every N steps, computed off the training thread."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from math import inf
from os import PathLike
from pathlib import Path
from time import monotonic
from typing import Any

from wqscore.errors import WqscoreError
from wqscore.rendering.result_file import write_file
from wqscore.studies.watching.documents import headlines
from wqscore.studies.watching.track import Track
from wqscore.studies.watching.watch import watch

#: A row of the log: `step`, and the headline statistic of each metric.
Row = dict[str, float | int | None]


class WeightLog:
    """Scores a model's weights every N steps in a process of its own, at low priority.

    When a score is due, the training waits for a copy of the weights to TMPDIR and nothing else. A row bears the step
    whose weights it has, however far the training has gone meanwhile. While a score is being made, others that become
    due are skipped and counted; what fails is a row of `track` with its reason, and never stops the training.

    Attributes:
        every: steps between scores.
        path: a CSV file that gets every row, skipped steps included; `None` for none.

    Example:
        >>> import numpy as np
        >>> log = WeightLog({"layers.0.fc1.weight": np.ones((60, 60))}, every=100)
        >>> for step in range(1, 100):
        ...     log.step(step)
        >>> log.close()
        >>> log.rows
        []
    """

    def __init__(
        self,
        model: Any,
        every: int = 100,
        metrics: str = "core",
        path: str | PathLike[str] | None = None,
        on_row: Callable[[Row], None] | None = None,
    ) -> None:
        """Prepare to watch; nothing is computed yet.

        Args:
            model: a torch module, or a state dict that is updated in place.
            every: steps between scores.
            metrics: what to compute, as `wqscore.score` takes it.
            path: a CSV file to keep up to date.
            on_row: called with each new row, on the thread that calls `step` or `close`.

        Raises:
            UsageError: an invalid number or metric.
            TypeError: it is no model.
        """
        self.every = every
        self.path = None if path is None else Path(path)
        self._watch = watch(model, every=every, share=1.0, metrics=metrics)
        # Only one score at a time bounds what is spent: it costs this process the copy alone.
        self._watch.share = inf
        self._on_row = on_row
        self._seen = 0
        self._began = self._spent = 0.0

    @property
    def track(self) -> Track:
        """Everything that happened, with intervals; a result that can be drawn and exported."""
        return self._watch.track

    @property
    def rows(self) -> list[Row]:
        """The rows that are known, in order of step."""
        return [_row(point.step, point.document) for point in self.track.scored]

    @property
    def skipped(self) -> int:
        """How many scores were due while another was being made."""
        return sum(point.status == "skipped" for point in self.track.points)

    @property
    def overhead(self) -> float:
        """The share of the time since the first step that the training spent in `step`, for copies above all."""
        elapsed = monotonic() - self._began if self._began else 0.0
        return self._spent / elapsed if elapsed else 0.0

    def step(self, step: int) -> None:
        """Tell that a step is done: a score starts if `step` is a multiple of `every`, unless one is being made.

        Args:
            step: its number.
        """
        start = monotonic()
        self._began = self._began or start
        self._watch.step(step)
        if step % self.every == 0:
            # A full disk is no reason to stop a training.
            with suppress(WqscoreError):
                self._publish()
        self._spent += monotonic() - start

    def close(self) -> None:
        """Wait for the score that is being made, and stop.

        Raises:
            WqscoreError: the file can't be written.
        """
        self._watch.close()
        self._publish()

    def _publish(self) -> None:
        """Hand over the rows that are new, and write the file."""
        track = self.track
        if self._on_row is not None:
            for point in track.scored[self._seen :]:
                self._on_row(_row(point.step, point.document))
        self._seen = len(track.scored)
        if self.path is not None and track.points:
            write_file(self.path, track.to_csv())


def _row(step: int, document: Any) -> Row:
    return {"step": step, **{name: value for name, (value, *_) in headlines(document).items()}}

"""`wqscore.watch`: score a live model every N steps of a plain training loop, without disturbing it."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import weakref
from dataclasses import dataclass, field, fields, replace
from os import PathLike
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any, Unpack

from wqscore.api.run import preset_of
from wqscore.api.settings import Settings, SettingsKeywords, changed, takes_settings
from wqscore.errors import UsageError
from wqscore.metrics.registry import choose_metrics
from wqscore.refs.callers import as_ref
from wqscore.refs.reference import Model, ModelRef
from wqscore.stores.store import Store
from wqscore.studies.watching.process import WEIGHTS, answer_of, start
from wqscore.studies.watching.snapshot import write_snapshot
from wqscore.studies.watching.track import PointStatus, Track, TrackPoint


@takes_settings
def watch(
    model: Model,
    *,
    every: int,
    share: float = 0.05,
    config: Any = None,
    name: str | None = None,
    settings: Settings | None = None,
    **changes: Unpack[SettingsKeywords],
) -> Watch:
    """Watch a training: score a live model every N steps, in a process of its own.

    Call `step()` once in each step of the loop. When a score is due, the weights are copied to a temporary folder on
    the calling thread, one tensor at a time: the training waits for that copy, and needs memory for one tensor and
    disk space for the weights (in TMPDIR). Another process scores the copy at low priority. Nothing that it does
    reaches the training: no random number is drawn, no thread limit changes, and whatever fails is recorded.

    Args:
        model: a torch module, a state dict that is updated in place, or a dict of arrays.
        every: steps between scores.
        share: the time of copies and scores stays under this share of the time since the first step, by one thread
            of the processor. A score that is due sooner, or while another is being made, is skipped and recorded as
            such. The first is always made, whatever it costs.
        config: as for `wqscore.score`.
        name: what to call the model; its class if `None`.
        settings: as for `wqscore.score`; one thread unless `jobs` says otherwise.
        **changes: settings by name, as for `wqscore.score`. A base must be a path or a Hub id.

    Returns:
        An object with `step()`, `track` and `close()`; leaving its `with` block closes it.

    Raises:
        UsageError: an invalid setting, or a model that is not in memory.
        TypeError: it is no model.

    Example:
        >>> import numpy as np
        >>> weights = {"layers.0.fc1.weight": np.ones((60, 60))}
        >>> with watch(weights, every=100) as watching:
        ...     for _ in range(99):
        ...         watching.step()
        >>> watching.track
        <Track weights: 0 points: 0 scored, 0 skipped, 0 failed>
    """
    ref = as_ref(model, config, name)
    if ref.memory is None:
        raise UsageError(f"{ref.label} is not in memory: pass a torch module, a state dict or a dict of arrays")
    if every < 1 or not 0 < share <= 1:
        raise UsageError(f"every is {every} and share {share}: give a number of steps from 1, and a share up to 1")
    chosen = changed(settings, changes)
    preset = preset_of(chosen)
    choose_metrics(chosen.metrics, preset.core)
    return Watch(ref, every, share, _portable(replace(chosen, jobs=chosen.jobs or 1)), preset.by)


def _portable(settings: Settings) -> dict[str, Any]:
    """The settings as JSON has them, without those that are not set.

    Raises:
        UsageError: the base is a model in memory.
    """
    found = {each.name: getattr(settings, each.name) for each in fields(settings)}
    if isinstance(settings.store, Store):
        found["store"] = settings.store.path
    if settings.base is not None and not isinstance(settings.base, str | PathLike):
        raise UsageError("the base of a watch is read by another process: name it by its path or Hub id")
    return {
        name: str(Path(value).absolute()) if name == "store" else str(value) if name == "base" else value
        for name, value in found.items()
        if value is not None
    }


@dataclass
class _Running:
    """The score that is being made, if one is."""

    step: int = 0
    stalled: float = 0.0
    folder: Path | None = None
    process: subprocess.Popen[bytes] | None = None

    def stop(self) -> None:
        """End the process and remove its folder."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
        self.process = self.folder = None


@dataclass(eq=False, repr=False)
class Watch:
    """A live model that is scored every N steps; made by `watch`.

    Attributes:
        ref: the model.
        every: steps between scores.
        share: of the time, for copies and scores.
        settings: of the scores, as JSON has them.
        by: the metric that the preset ranks by.
    """

    ref: ModelRef
    every: int
    share: float
    settings: dict[str, Any]
    by: str
    _points: list[TrackPoint] = field(default_factory=list)
    _running: _Running = field(default_factory=_Running)
    _step: int = 0
    _began: float | None = None
    _spent: float = 0.0
    _last_cost: float = 0.0
    _closed: bool = False

    def __post_init__(self) -> None:
        """End the process when this object goes, or the interpreter exits."""
        self._end = weakref.finalize(self, self._running.stop)

    def __repr__(self) -> str:
        """The model and its track."""
        return f"<Watch of {self.ref.label:.80} every {self.every} steps: {len(self._points)} points>"

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(wait=kind is None)

    @property
    def track(self) -> Track:
        """What was scored so far."""
        self._collect()
        return Track(self.ref.label, self.by, tuple(sorted(self._points, key=lambda point: point.step)))

    def step(self, step: int | None = None) -> None:
        """Count one step of the training, and start a score if one is due; raises nothing.

        Args:
            step: the number of the step, for a training that is resumed; one more than before if `None`.
        """
        self._step = self._step + 1 if step is None else step
        if self._began is None:
            self._began = monotonic()
        if self._closed or self._step % self.every:
            return
        try:
            self._collect()
            if reason := self._why_skipped():
                self._add("skipped", reason)
            else:
                self._start()
        except Exception as error:
            self._running.stop()
            self._add("failed", f"{type(error).__name__}: {error}"[:500])

    def close(self, wait: bool = True) -> None:
        """Stop watching.

        Args:
            wait: wait for the score that is being made; otherwise it is dropped, and its step is recorded as skipped.
        """
        self._closed = True
        if self._running.process is not None:
            if wait:
                self._running.process.wait()
                self._collect()
            else:
                self._add("skipped", "closed before it was scored", self._running.step)
        self._running.stop()

    def _why_skipped(self) -> str:
        """Why no score starts now; empty if one does."""
        if self._running.process is not None:
            return f"the score of step {self._running.step} was still being made"
        elapsed = monotonic() - (self._began or 0.0)
        if self._last_cost and self._spent + self._last_cost > self.share * elapsed:
            spent = f"{self._spent:.3g} s of scoring in {elapsed:.3g} s"
            return f"one more score would exceed the share of {self.share:.2g}: {spent}"
        return ""

    def _start(self) -> None:
        began = monotonic()
        running = self._running
        running.step, running.folder = self._step, Path(tempfile.mkdtemp(prefix="wqscore-watch-"))
        (running.folder / WEIGHTS).mkdir()
        write_snapshot(self.ref, running.folder / WEIGHTS)
        running.process = start(running.folder, self.settings)
        running.stalled = monotonic() - began

    def _collect(self) -> None:
        """Record the score that has been made since the last call, if one has."""
        running = self._running
        code = running.process.poll() if running.process is not None else None
        if code is None or running.folder is None:
            return
        answer = answer_of(running.folder, code)
        self._last_cost = running.stalled + answer["seconds"]
        self._spent += self._last_cost
        status: PointStatus = "scored" if "document" in answer else "failed"
        document = answer.get("document")
        if document is not None:
            document |= {"model": self.ref.label, "asked": self.ref.label}
        reason, seconds = answer.get("error", ""), answer["seconds"]
        self._points.append(TrackPoint(running.step, status, reason, running.stalled, seconds, document))
        running.stop()

    def _add(self, status: PointStatus, reason: str, step: int | None = None) -> None:
        self._points.append(TrackPoint(self._step if step is None else step, status, reason))

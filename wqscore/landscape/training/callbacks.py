"""Callbacks for the trainers of transformers and Lightning, neither of which is imported."""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from typing import Any

from wqscore.landscape.training.weight_log import Row, WeightLog

_PREFIX = "wqscore"


class _Callback:
    """What both share: every event that isn't handled does nothing."""

    def __init__(self, every: int = 100, metrics: str = "core", path: str | PathLike[str] | None = None) -> None:
        """Prepare.

        Args:
            every: optimiser steps between scores.
            metrics: what to compute, as `wqscore.score` takes it.
            path: a CSV file to keep up to date.
        """
        self._options: dict[str, Any] = {"every": every, "metrics": metrics, "path": path}
        self.log: WeightLog | None = None

    def __getattr__(self, name: str) -> Callable[..., None]:
        """A trainer calls all its events: those that are not defined here do nothing."""
        if name.startswith("on_") or name in ("setup", "teardown"):
            return _nothing
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def _begin(self, model: Any, on_row: Callable[[Row], None]) -> None:
        self.log = WeightLog(model, on_row=on_row, **self._options)

    def _step(self, step: int) -> None:
        if self.log is not None:
            self.log.step(step)

    def _end(self) -> None:
        if self.log is not None:
            self.log.close()


class WeightLogCallback(_Callback):
    """For transformers' `Trainer`: `WeightLogCallback(every=500).attach(trainer)`.

    Rows reach every logger of the trainer as `wqscore/alpha` and so on, with `wqscore/step`, the step whose weights
    they are of. Given as `callbacks=[…]` without `attach`, they are in `trainer.state.log_history` and `path` alone,
    since a callback doesn't know its trainer. Only the main process of several logs.
    """

    _trainer: Any = None

    def attach(self, trainer: Any) -> WeightLogCallback:
        """Add this callback to a trainer, and log to its loggers; returns the callback."""
        self._trainer = trainer
        trainer.add_callback(self)
        return self

    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **others: Any) -> None:
        """Start watching the model."""
        if state.is_world_process_zero:
            self._begin(model, lambda row: self._hand_over(state, row))

    def on_step_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Count a step of the optimiser."""
        self._step(state.global_step)

    def on_train_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Wait for the last score."""
        self._end()

    def _hand_over(self, state: Any, row: Row) -> None:
        named = _named(row)
        if self._trainer is not None:
            self._trainer.log(named)
        else:
            state.log_history.append({**named, "step": row["step"]})


class LightningWeightLog(_Callback):
    """For Lightning: `Trainer(callbacks=[LightningWeightLog(every=500)])`; rows go to every logger at their step."""

    @property
    def state_key(self) -> str:
        """The name by which Lightning distinguishes callbacks."""
        return type(self).__name__

    def state_dict(self) -> dict[str, Any]:
        """Nothing is kept in checkpoints."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing is kept in checkpoints."""

    def on_fit_start(self, trainer: Any, module: Any) -> None:
        """Start watching the module."""
        if trainer.is_global_zero:
            self._begin(module, lambda row: self._hand_over(trainer, row))

    def on_train_batch_end(self, trainer: Any, module: Any, *others: Any) -> None:
        """Count a step of the optimiser."""
        self._step(trainer.global_step)

    def on_fit_end(self, trainer: Any, module: Any) -> None:
        """Wait for the last score."""
        self._end()

    def _hand_over(self, trainer: Any, row: Row) -> None:
        for logger in trainer.loggers:
            logger.log_metrics(_named(row), step=row["step"])


def _named(row: Row) -> dict[str, float | int]:
    """A row as loggers take it: with a prefix, and without what is not defined."""
    return {f"{_PREFIX}/{name}": value for name, value in row.items() if value is not None}


def _nothing(*given: Any, **named: Any) -> None:
    """An event that nothing is done at."""

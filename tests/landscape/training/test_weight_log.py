"""The log of a training: rows that bear the step of their weights, what is skipped, and callbacks of trainers."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import wqscore
from tests.landscape.made import network, torch
from tests.oracles import Oracle
from tests.studies.watching.here import Ended, score_here
from wqscore.errors import UsageError, WqscoreError
from wqscore.studies.watching import watch

pytestmark = pytest.mark.oracle("torch")
weight_log = Oracle("wqscore.landscape.training.weight_log")
callbacks = Oracle("wqscore.landscape.training.callbacks")


def heavy(seed: int = 0) -> Any:
    """A model with two matrices that have a fit."""
    model = network(64, 70, 60, seed=seed).float()
    with torch.no_grad():
        for place in (0, 2):
            shape = model[place].weight.shape
            model[place].weight.copy_(torch.from_numpy(np.random.default_rng(seed + place).standard_t(3, shape)))
    return model


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One log of a model that goes on while it is scored; the score is made here, and known when it is waited for."""
    folder, model, heard = tmp_path_factory.mktemp("log"), heavy(), []
    expected = wqscore.score(model, jobs=1)
    with pytest.MonkeyPatch.context() as patch:
        score_here(patch)
        start = watch.start

        def still_running(*given: Any) -> Ended:
            start(*given)
            return Ended(None)

        patch.setattr(watch, "start", still_running)
        log = weight_log.WeightLog(model, every=10, path=folder / "log.csv", on_row=heard.append)
        for step in (9, 10, 11, 20):
            log.step(step)
            with torch.no_grad():
                model[0].weight.mul_(1.5)
        log.close()
    return {"log": log, "expected": expected, "heard": heard, "file": folder / "log.csv"}


def test_a_row_bears_the_step_whose_weights_it_has(logged: dict[str, Any]) -> None:
    # At step 10 the first matrix had been multiplied once.
    model = heavy()
    with torch.no_grad():
        model[0].weight.mul_(1.5)
    scored = wqscore.score(model, jobs=1)
    (row,) = logged["log"].rows
    assert row["step"] == 10
    for name in ("log_norm", "alpha", "stable_rank"):
        expected = scored.summary.headline(name, scored.preset)
        assert row[name] == (pytest.approx(expected, rel=1e-6) if np.isfinite(expected) else None)
    assert row["log_norm"] != pytest.approx(logged["expected"].summary.headline("log_norm", scored.preset), rel=1e-3)


def test_a_step_that_comes_too_soon_is_skipped_and_counted(logged: dict[str, Any]) -> None:
    assert logged["log"].skipped == 1
    assert 0 < logged["log"].overhead < 1
    with logged["file"].open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["step"], row["status"]) for row in rows] == [("10", "scored"), ("20", "skipped")]
    assert float(rows[0]["log_norm"]) == logged["log"].rows[0]["log_norm"]


def test_rows_are_handed_over_once(logged: dict[str, Any]) -> None:
    assert logged["heard"] == logged["log"].rows


def test_a_file_that_can_t_be_written_is_said_at_the_end_alone(tmp_path: Path, monkeypatch: Any) -> None:
    log = weight_log.WeightLog(heavy(), every=1, path=tmp_path / "none" / "log.csv")
    monkeypatch.setattr(log._watch, "_start", lambda: log._watch._add("skipped", "no process in this test"))
    log.step(1)
    with pytest.raises(WqscoreError, match=r"log.csv"):
        log.close()


def test_wrong_numbers_are_refused() -> None:
    with pytest.raises(UsageError, match="every is 0"):
        weight_log.WeightLog(heavy(), every=0)
    with pytest.raises(UsageError, match="no metric called 'alhpa'"):
        weight_log.WeightLog(heavy(), metrics="alhpa")


class Quick:
    """A log that has a row for every step at once."""

    def __init__(self, model: Any, on_row: Any, every: int, **others: Any) -> None:
        self.every, self.on_row, self.steps, self.closed = every, on_row, [], False

    def step(self, step: int) -> None:
        self.steps.append(step)
        if step % self.every == 0:
            self.on_row({"step": step, "alpha": 3.5, "entropy": None})

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    callbacks.WeightLogCallback  # noqa: B018 - imports the module
    monkeypatch.setattr(sys.modules["wqscore.landscape.training.callbacks"], "WeightLog", Quick)


@pytest.mark.usefixtures("quick")
@pytest.mark.oracle("transformers", "accelerate")
@pytest.mark.parametrize("attached", [True, False])
def test_the_trainer_of_transformers_logs_rows(tmp_path: Path, attached: bool) -> None:
    import transformers

    class Model(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.inner = torch.nn.Linear(3, 1)

        def forward(self, x: Any) -> Any:
            return {"loss": self.inner(x).square().mean()}

    heard: list[dict[str, Any]] = []

    class Listens(transformers.TrainerCallback):
        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **others: Any) -> None:
            heard.append(dict(logs))

    arguments = transformers.TrainingArguments(
        output_dir=str(tmp_path), max_steps=4, report_to="none", use_cpu=True, save_strategy="no", disable_tqdm=True,
        logging_steps=100, per_device_train_batch_size=2,
    )  # fmt: skip
    callback = callbacks.WeightLogCallback(every=2)
    given = [Listens()] if attached else [Listens(), callback]
    data = [{"x": torch.ones(3)} for _ in range(8)]
    trainer = transformers.Trainer(Model(), arguments, train_dataset=data, callbacks=given)
    if attached:
        callback.attach(trainer)
    trainer.train()
    assert (callback.log.steps, callback.log.closed) == ([1, 2, 3, 4], True)
    rows = [row for row in trainer.state.log_history if "wqscore/alpha" in row]
    assert [(row["wqscore/step"], row["wqscore/alpha"]) for row in rows] == [(2, 3.5), (4, 3.5)]
    assert all("wqscore/entropy" not in row for row in rows)
    assert any("wqscore/alpha" in logs for logs in heard) == attached


@pytest.mark.usefixtures("quick")
def test_lightning_s_events() -> None:
    """As Lightning's trainer calls them; it isn't installed here."""
    heard: list[tuple[Any, int]] = []
    logger = SimpleNamespace(log_metrics=lambda metrics, step: heard.append((metrics, step)))
    trainer = SimpleNamespace(is_global_zero=True, global_step=0, loggers=[logger])
    callback = callbacks.LightningWeightLog(every=2)
    callback.setup(trainer, None, stage="fit")
    callback.on_fit_start(trainer, None)
    for step in range(1, 5):
        callback.on_train_batch_start(trainer, None, None, step)
        trainer.global_step = step
        callback.on_train_batch_end(trainer, None, None, None, step)
    callback.on_fit_end(trainer, None)
    assert heard == [({"wqscore/step": step, "wqscore/alpha": 3.5}, step) for step in (2, 4)]
    assert (callback.state_dict(), callback.state_key) == ({}, "LightningWeightLog")
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        callback.nothing()

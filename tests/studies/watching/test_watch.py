"""`wqscore.watch`: what a training's steps were scored as, and that the training is the same without it."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

import wqscore
from tests.oracles import Oracle
from tests.studies.watching.here import Ended, score_here
from wqscore.errors import UsageError
from wqscore.refs.callers import as_ref
from wqscore.studies.watching import process, snapshot, watch
from wqscore.studies.watching.track import Track

torch = Oracle("torch")
QUICK: dict[str, Any] = {"bootstrap": 0, "gof": 0}


def heavy(seed: int, layers: int = 2) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {f"layers.{i}.fc1.weight": rng.standard_t(3, (70, 60)).astype("f4") for i in range(layers)}


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Scores are made in this process; the snapshots' folders."""
    return score_here(monkeypatch)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """The watch's clock, which stands until it is moved on."""
    now = [100.0]

    def move(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(watch, "monotonic", lambda: now[0])
    return move


def test_every_nth_step_is_scored_as_it_was(here: list[Path], clock: Callable[[float], None]) -> None:
    weights = heavy(0)
    expected = []
    with wqscore.watch(weights, every=2, share=1.0, name="run", **QUICK) as watching:
        for step in range(1, 7):
            for values in weights.values():
                np.multiply(values, 1 + 0.01 * step, out=values)
            clock(1e6)
            watching.step()
            if step % 2 == 0:
                expected.append(wqscore.score(weights, **QUICK).summary)
    track = watching.track
    assert [(point.step, point.status) for point in track.points] == [(2, "scored"), (4, "scored"), (6, "scored")]
    frame = track.to_frame()
    for metric in ("alpha", "log_norm", "entropy"):
        assert frame[metric].tolist() == [summary.statistics[metric].median for summary in expected]
    assert frame["n_fitted"].tolist() == [2, 2, 2]
    assert not any(folder.exists() for folder in here)
    tidy = track.to_frame(tidy=True)
    assert set(tidy["step"]) == {2, 4, 6} and list(tidy) == ["step", "metric", "statistic", "value", "lo", "hi"]
    drawn = track.plot("log_norm").to_dict()["datasets"]["points"]
    assert [row["value"] for row in drawn] == frame["log_norm"].tolist()
    with pytest.raises(UsageError, match="no step has 'xyz': it has alpha, "):
        track.plot("xyz")
    assert "3 points: 3 scored" in repr(track) and "every 2 steps" in repr(watching)


def test_a_real_process_scores_and_training_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    weights = heavy(1)
    with wqscore.watch(weights, every=1, **QUICK) as watching:
        watching.step()
        watching.step()
        assert len(list(tmp_path.iterdir())) == 1
    first, second = watching.track.points
    assert (first.step, first.status, second.status) == (1, "scored", "skipped")
    assert second.reason == "the score of step 1 was still being made"
    assert first.document is not None
    assert first.document["summary"]["alpha"]["median"] == wqscore.score(weights, **QUICK).summary.headline(
        "alpha", wqscore.score(weights, **QUICK).preset
    )
    assert first.seconds > 0 and list(tmp_path.iterdir()) == []


def test_time_stays_within_the_share(clock: Callable[[float], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores of 3 seconds in a share of a tenth: one at once, then one every 30 seconds."""
    document = {"summary": {}, "model_metrics": {}, "preset": {"headline": "median"}}
    monkeypatch.setattr(watch, "start", lambda folder, settings: Ended())
    monkeypatch.setattr(watch, "answer_of", lambda folder, code: {"seconds": 3.0, "document": dict(document)})
    watching = wqscore.watch(heavy(2), every=1, share=0.1)
    for _ in range(100):
        watching.step()
        clock(1.0)
    watching.close()
    scored = [point.step for point in watching.track.scored]
    assert scored == [1, 61, 91]
    assert 3.0 * len(scored) <= 0.1 * 100
    assert "one more score would exceed the share of 0.1" in watching.track.points[1].reason


def test_failures_are_recorded_and_raise_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Broken(dict[str, Any]):
        def items(self) -> Any:
            raise RuntimeError("the weights are elsewhere")

    watching = wqscore.watch(Broken(), every=1)
    watching.step()
    watching.step()
    assert [(point.status, point.reason) for point in watching.track.points] == [
        ("failed", "RuntimeError: the weights are elsewhere")
    ] * 2

    def killed(folder: Path, settings: Mapping[str, Any]) -> Ended:
        (folder / process.ERRORS).write_text("x\nkilled\n")
        return Ended(9)

    monkeypatch.setattr(watch, "start", killed)
    watching = wqscore.watch(heavy(3), every=1)
    watching.step()
    watching.close()
    assert [point.reason for point in watching.track.points] == ["the scoring process ended with code 9: killed"]
    assert watching.track.to_frame()["status"].tolist() == ["failed"]
    assert "step 1: the scoring process ended with code 9" in watching.track.to_markdown()


def test_a_model_without_a_matrix_is_a_failed_point(here: list[Path]) -> None:
    watching = wqscore.watch({"a.weight": np.ones((2, 2), "i8")}, every=1)
    watching.step()
    (point,) = watching.track.points
    assert point.status == "failed" and point.reason.startswith("the model: ")


def test_leaving_by_an_exception_waits_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    running = Ended(None)
    monkeypatch.setattr(watch, "start", lambda folder, settings: running)
    with pytest.raises(KeyError), wqscore.watch(heavy(4), every=1) as watching:
        watching.step()
        raise KeyError("training failed")
    assert running.code == -9
    assert [point.reason for point in watching.track.points] == ["closed before it was scored"]
    watching.step()
    assert len(watching.track.points) == 1


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        ("./run", {"every": 1}, "is not in memory: pass a torch module, a state dict or a dict of arrays"),
        ({}, {"every": 0}, "every is 0 and share 0.05: give a number of steps from 1"),
        ({}, {"every": 1, "share": 0.0}, "give a number of steps from 1, and a share up to 1"),
        ({}, {"every": 1, "metrics": "alhpa"}, "alpha"),
        ({}, {"every": 1, "base": {}}, "the base of a watch is read by another process"),
    ],
)
def test_wrong_usage_is_refused_at_once(model: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        wqscore.watch(model, **options)


def test_a_snapshot_holds_each_tensor_once(tmp_path: Path) -> None:
    weights: dict[str, Any] = {
        **heavy(5),
        "step": np.array(3),
        "half": np.ones((3, 2), "f2"),
        "flag": np.array([True]),
    }
    weights["tied"] = weights["half"]
    snapshot.write_snapshot(as_ref(weights, {"model_type": "bert"}), tmp_path)
    found = load_file(tmp_path / "model.safetensors")
    assert found.keys() == weights.keys() - {"tied"}
    for name, values in found.items():
        np.testing.assert_array_equal(values, weights[name])
        assert values.dtype == weights[name].dtype
    assert (tmp_path / "config.json").read_text() == '{"model_type": "bert"}'


def train(watched: bool) -> tuple[dict[str, np.ndarray], Track | None, list[float]]:
    """Twenty steps of gradient descent with noise from the global generators, watched or not."""
    np.random.seed(0)
    random.seed(0)
    weights = {name: values.astype("f8") for name, values in heavy(6).items()}
    watching = wqscore.watch(weights, every=5, share=1.0, **QUICK) if watched else None
    for _ in range(20):
        for values in weights.values():
            step = values @ values.T @ values / 100 + np.random.standard_normal(values.shape) + random.random()
            np.subtract(values, 0.01 * step, out=values)
        if watching:
            watching.step()
    if watching:
        watching.close(wait=False)
    return weights, watching.track if watching else None, [random.random(), np.random.random()]


def test_a_watched_training_has_the_weights_of_one_that_is_not() -> None:
    (alone, _, after_alone), (watched, track, after_watched) = train(False), train(True)
    assert track is not None and track.points
    assert after_alone == after_watched
    for name, values in alone.items():
        np.testing.assert_array_equal(values, watched[name])


@pytest.mark.oracle("torch")
def test_a_watched_torch_training_has_the_same_bits() -> None:
    def run(watched: bool) -> tuple[dict[str, np.ndarray], int, np.ndarray]:
        torch.manual_seed(0)
        model = torch.nn.Sequential(
            torch.nn.Linear(64, 96), torch.nn.ReLU(), torch.nn.Dropout(0.1), torch.nn.Linear(96, 64)
        )
        optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
        watching = wqscore.watch(model, every=4, share=1.0, **QUICK) if watched else None
        for _ in range(12):
            x = torch.randn(32, 64)
            loss = ((model(x) - x) ** 2).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            if watching:
                watching.step()
        if watching:
            watching.close(wait=False)
        weights = {name: values.detach().numpy().copy() for name, values in model.state_dict().items()}
        return weights, len(watching.track.points) if watching else 0, torch.rand(3).numpy()

    (alone, _, after_alone), (watched, points, after_watched) = run(False), run(True)
    assert points == 3
    np.testing.assert_array_equal(after_alone, after_watched)
    for name, values in alone.items():
        np.testing.assert_array_equal(values, watched[name])

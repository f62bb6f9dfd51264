"""`wqscore.studies.track.track`: steps in order, headlines as `score` has them, turning points, known figures."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save, save_file

import wqscore
from tests.hub_server import HubServer
from tests.saved_models import saved
from tests.studies.diff.made import adapter, tensors
from tests.studies.watching.here import score_here
from wqscore.errors import CheckpointError, UsageError
from wqscore.studies.track.files import write_track
from wqscore.studies.track.track import RunTrack, track

QUICK: dict[str, Any] = {
    "metrics": "log_norm,log_spectral_norm,stable_rank,entropy",
    "bootstrap": 0,
    "gof": 0,
    "jobs": 1,
}
#: Log₁₀ of the factor on all weights, by step: rises, turns at 900, and falls.
COURSE = {2: 0.0, 10: 0.1, 100: 0.2, 900: 0.3, 1000: 0.2, 2000: 0.1, 3000: 0.0}
WARNING = "sign differs from its declared direction"


def run(folder: Path, course: Mapping[int, float] = COURSE, name: str = "step_{}", count: int = 7) -> str:
    """A run whose matrices are multiplied by nearly the same factor at each step."""
    base = tensors(count=count)
    for step, power in course.items():
        rng = np.random.default_rng(step)
        content = {each: values * 10**power * rng.uniform(0.98, 1.02) for each, values in base.items()}
        saved(folder / name.format(step), {each: value.astype("f4") for each, value in content.items()})
    return str(folder)


def document(*arguments: Any, **changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(track(*arguments, **{**QUICK, **changes}).to_json())
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return run(tmp_path_factory.mktemp("run") / "a")


@pytest.fixture(scope="module")
def found(folder: str) -> RunTrack:
    accuracy = pd.DataFrame(
        {"step": list(COURSE), "accuracy": [value + step / 1e6 for step, value in COURSE.items()]}
    )
    return track(folder, known=accuracy, **QUICK)


def test_steps_are_in_numeric_order_with_the_numbers_of_score(found: RunTrack, folder: str) -> None:
    told = json.loads(found.to_json())
    assert [*told][:4] == ["schema_version", "wqscore", "created", "seed"]
    assert [each["step"] for each in told["steps"]] == [2, 10, 100, 900, 1000, 2000, 3000]
    for each in told["steps"]:
        alone = wqscore.score(f"{folder}/step_{each['step']}", **QUICK).summary
        assert each["model"] == f"{folder}/step_{each['step']}"
        assert (each["revision"], each["reason"], each["n_fitted"]) == (None, None, alone.n_fitted)
        assert each["coverage"] == alone.coverage
        for metric in ("log_norm", "log_spectral_norm", "stable_rank", "entropy"):
            assert each[metric] == alone.statistics[metric].median


def test_the_norm_turns_where_the_weights_do(found: RunTrack) -> None:
    turns = json.loads(found.to_json())["turning_points"]
    assert [(each["metric"], each["step"], each["kind"]) for each in turns] == [
        ("log_norm", 900, "highest"),
        ("log_spectral_norm", 900, "highest"),
    ]
    for each in turns:
        assert [*each][:4] == ["metric", "step", "low", "high"]
        assert 100 <= each["low"] <= 900 <= each["high"] <= 1000


def test_known_figures_are_correlated_and_the_norms_warned_of(found: RunTrack) -> None:
    known = {each["x"]: each for each in json.loads(found.to_json())["known"]}
    assert [*known["log_norm"]] == ["x", "spearman", "low", "high", "n", "declared", "warning"]
    for metric in ("log_norm", "log_spectral_norm"):
        values = [each[metric] for each in json.loads(found.to_json())["steps"]]
        accuracy = [value + step / 1e6 for step, value in COURSE.items()]
        ranks = [pd.Series(each).rank() for each in (values, accuracy)]
        assert known[metric]["spearman"] == pytest.approx(ranks[0].corr(ranks[1]), abs=1e-12)
        assert (known[metric]["declared"], known[metric]["warning"], known[metric]["n"]) == ("lower", WARNING, 7)
        assert known[metric]["low"] < known[metric]["spearman"] < known[metric]["high"]
    # Nobody claims which entropy is better, and the stable rank is the same throughout.
    assert (known["entropy"]["declared"], known["entropy"]["warning"]) == (None, None)
    assert (known["stable_rank"]["spearman"], known["stable_rank"]["warning"]) == (None, None)


def test_the_warning_is_in_every_format_and_no_advice_or_p_value_is(found: RunTrack) -> None:
    for text in (
        *(wqscore.results.render(found, "table"), found.to_csv(), found.to_json(), found.to_markdown()),
        *(found.to_html(), found._repr_html_()),
    ):
        plain = " ".join(str(text).replace("\\_", "_").split())
        assert WARNING in plain
        assert "early stopping" not in plain.lower()
        assert "p_value" not in plain and "p =" not in plain


def test_the_other_way_round_nothing_is_warned_of(folder: str) -> None:
    loss = pd.DataFrame({"step": list(COURSE), "loss": [value + step / 1e6 for step, value in COURSE.items()]})
    known = {each["x"]: each for each in document(folder, known=loss, better="lower")["known"]}
    assert known["log_norm"]["spearman"] > 0.5
    assert known["log_norm"]["warning"] is None


def test_a_weak_correlation_is_not_warned_of(folder: str) -> None:
    chance = pd.DataFrame({"step": list(COURSE), "accuracy": [3, 1, 5, 2, 6, 4, 0]})
    known = {each["x"]: each for each in document(folder, known=chance)["known"]}
    assert abs(known["log_norm"]["spearman"]) < 0.5
    assert known["log_norm"]["warning"] is None


@pytest.mark.parametrize("name", ["ckpt-{}", "run2_{}", "{}", "epoch={}", "checkpoint_1_{}"])
def test_the_last_number_of_a_name_is_the_step(tmp_path: Path, name: str) -> None:
    steps = document(run(tmp_path / "a", {9: 0.0, 10: 0.1, 1000: 0.2}, name, count=1))["steps"]
    assert [each["step"] for each in steps] == [9, 10, 1000]


def test_two_checkpoints_with_one_step_are_refused(tmp_path: Path) -> None:
    model = run(tmp_path / "a", {10: 0.0}, count=1)
    run(tmp_path / "a", {10: 0.0}, "ckpt-{}", count=1)
    with pytest.raises(UsageError, match=r"step 10 has two checkpoints, .*ckpt-10 and .*step_10"):
        document(model)


def test_steps_and_epochs_are_not_mixed(tmp_path: Path) -> None:
    model = run(tmp_path / "a", {10: 0.0}, count=1)
    run(tmp_path / "a", {2: 0.0}, "epoch_{}", count=1)
    with pytest.raises(UsageError, match=r"its checkpoints count epochs \(.*\) and steps"):
        document(model)


def test_what_can_not_be_read_is_a_row_with_a_reason(tmp_path: Path) -> None:
    model = run(tmp_path / "a", {1: 0.0, 3: 0.1}, count=2)
    for name in ("step_2", "4", "step_5"):
        (tmp_path / "a" / name).mkdir()
    (tmp_path / "a" / "step_2" / "model.safetensors").write_bytes(b"junk")
    (tmp_path / "a" / "4" / "notes.txt").write_text("none")
    (tmp_path / "a" / "logs").mkdir()
    told = document(model)
    assert [each["step"] for each in told["steps"]] == [1, 2, 3, 4, 5]
    broken = {each["step"]: each for each in told["steps"] if each["reason"]}
    assert set(broken) == {2, 4, 5}
    assert "cut short" in broken[2]["reason"]
    assert "no weights" in broken[4]["reason"]
    assert {broken[2][name] for name in ("log_norm", "n_fitted", "coverage", "revision")} == {None}


def test_names_without_a_number_are_left_out_and_told(tmp_path: Path) -> None:
    model = run(tmp_path / "a", {1: 0.0, 2: 0.1}, count=1)
    saved(tmp_path / "a" / "final", tensors(count=1))
    told = track(model, **QUICK)
    assert [point.step for point in told.track.points] == [1, 2]
    assert told.remarks == (f"left out, as its name has no number: {model}/final",)


def test_a_folder_with_weights_of_its_own_is_tracked_by_its_checkpoints(tmp_path: Path) -> None:
    model = run(tmp_path / "a", {1: 0.0, 2: 0.1}, "checkpoint-{}", count=1)
    save_file(tensors(count=1), tmp_path / "a" / "model.safetensors")
    assert [each["step"] for each in document(model)["steps"]] == [1, 2]


def test_no_checkpoint_is_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for missing in ("a", "none"):
        with pytest.raises(UsageError, match=missing):
            document(str(tmp_path / missing))
    with pytest.raises(UsageError, match="--revisions chooses branches of a repository"):
        document(run(tmp_path / "b", {1: 0.0}, count=1), revisions="step*")


def test_adapters_saved_while_training_are_followed(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for step in (1, 20, 3):
        a, b = rng.standard_normal((4, 64)) * step, rng.standard_normal((96, 4))
        adapter(tmp_path / "runs" / f"checkpoint-{step}", "layers.0.fc1", a.astype("f4"), b.astype("f4"), 4)
    steps = document(str(tmp_path / "runs"))["steps"]
    assert [each["step"] for each in steps] == [1, 3, 20]
    assert steps[0]["log_norm"] < steps[1]["log_norm"] < steps[2]["log_norm"]
    base = saved(tmp_path / "base", tensors(count=1))
    merged = document(f"{base}+{tmp_path / 'runs'}")["steps"]
    assert [(each["step"], each["model"]) for each in merged] == [
        (step, f"{base}+{tmp_path / 'runs'}/checkpoint-{step}") for step in (1, 3, 20)
    ]
    assert merged[2]["log_norm"] > steps[2]["log_norm"]


@pytest.mark.usefixtures("settled")
def test_a_warm_store_reads_and_solves_nothing(tmp_path: Path, counts: dict[str, int]) -> None:
    model, store = run(tmp_path / "a", {1: 0.0, 2: 0.1, 3: 0.2}, count=2), tmp_path / "store.sqlite"
    cold = document(model, store=store)
    counts.update(read=0, solved=0)
    warm = document(model, store=store)
    assert counts == {"read": 0, "solved": 0}
    assert warm["steps"] == cold["steps"]
    document(model)
    assert counts == {"read": 6, "solved": 6}


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"accuracy": [1, 2, 3]}, "no column step or model"),
        ({"step": [1, 1, 2], "accuracy": [1, 2, 3]}, "'1' is in several rows"),
        ({"step": [1, 2, 3], "a": [1, 2, 3], "b": [1, 2, 3]}, "choose a column to compare with, by --y: a, b"),
        ({"step": [2, 10, 7], "a": [1, 2, 3]}, "has figures for 2 of the 7 steps, fewer than the 3 needed"),
        ({"step": ["x", 2, 3], "a": [1, 2, 3]}, "is not numbers"),
    ],
)
def test_a_table_that_can_not_be_taken_is_refused_before_scoring(
    folder: str, table: dict[str, list[Any]], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The package's `track` is the function.
    monkeypatch.setattr(sys.modules["wqscore.studies.track.track"], "score", lambda *a, **k: pytest.fail("scored"))
    with pytest.raises(UsageError, match=words):
        document(folder, known=pd.DataFrame(table))


def test_a_table_may_name_models(folder: str, tmp_path: Path) -> None:
    names = [f"step_{step}" if step < 1000 else f"{folder}/step_{step}" for step in COURSE]
    pd.DataFrame({"model": names, "accuracy": range(7)}).to_csv(tmp_path / "known.csv", index=False)
    told = document(folder, known=tmp_path / "known.csv", y="accuracy")
    assert [each["n"] for each in told["known"]] == [7] * 4


def test_y_without_known_is_refused(folder: str) -> None:
    with pytest.raises(UsageError, match="y names a column of known"):
        document(folder, y="accuracy")


def test_revisions_of_a_repository_are_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with HubServer() as hub:
        hub.serve_here(tmp_path / "home", monkeypatch)
        base = tensors(count=2)
        for step in (1000, 2, 100, 10):
            weights = save({name: value * np.float32(step) for name, value in base.items()})
            files = {"config.json": b"{}", "model.safetensors": weights}
            hub.add(
                "org/run", files, {f"step{step}": f"{step:040x}", **({"main": f"{step:040x}"} if step == 10 else {})}
            )
        told = document("org/run", revisions="step*")
        assert [each["step"] for each in told["steps"]] == [2, 10, 100, 1000]
        assert [each["model"] for each in told["steps"]][:2] == ["org/run@step2", "org/run@step10"]
        assert [each["revision"] for each in told["steps"]] == [f"{step:040x}" for step in (2, 10, 100, 1000)]
        assert [each["step"] for each in document("org/run")["steps"]] == [2, 10, 100, 1000]
        assert [each["step"] for each in document("org/run", revisions="step10*")["steps"]] == [10, 100, 1000]
        with pytest.raises(UsageError, match="none of its revisions matches 'epoch"):
            document("org/run", revisions="epoch*")
        with pytest.raises(UsageError, match="names one revision"):
            document("org/run@step2")
        with pytest.raises(CheckpointError, match="no such model on the Hub"):
            document("org/none")
    # The Hub is gone: the revisions that were resolved are in the cache.
    assert [each["step"] for each in document("org/run", revisions="step*")["steps"]] == [2, 10, 100, 1000]


def test_the_track_of_a_watch_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    score_here(monkeypatch)
    base = tensors()
    weights = {name: value.copy() for name, value in base.items()}
    watching = wqscore.watch(weights, every=1, share=1.0, name="live", **{**QUICK, "metrics": "core"})
    now = [100.0]
    monkeypatch.setattr("wqscore.studies.watching.watch.monotonic", lambda: now[0])
    for step, power in enumerate(COURSE.values(), 1):
        for name, value in base.items():
            np.multiply(value, np.float32(10**power), out=weights[name])
        watching.step(step)
        watching._collect()
        now[0] += 1e6
    watching.close()
    (tmp_path / "watch.json").write_text(watching.track.to_json())
    told = document(str(tmp_path / "watch.json"))
    assert [each["step"] for each in told["steps"]] == [1, 2, 3, 4, 5, 6, 7]
    assert ("log_norm", 4) in [(each["metric"], each["step"]) for each in told["turning_points"]]
    assert told["steps"] == document(watching.track)["steps"]
    assert told["turning_points"] == document(watching.track)["turning_points"]
    assert {each["model"] for each in told["steps"]} == {"live"}
    # One of before has no values of matrices: its numbers are followed, and no turning point can be told.
    old = json.loads(watching.track.to_json())
    for point in old["points"]:
        del point["score"]["matrices"]
    (tmp_path / "old.json").write_text(json.dumps(old))
    without = document(str(tmp_path / "old.json"))
    assert (without["steps"], without["turning_points"]) == (told["steps"], [])
    assert any("no values of matrices" in note for note in without["notes"])


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"model": "a", "by": "alpha", "points": [1]}', '{"points": NaN}'])
def test_another_file_is_no_track(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(UsageError, match=r"a\.json: not"):
        document(str(tmp_path / "a.json"))


def test_low_alpha_and_traps_are_said(tmp_path: Path) -> None:
    content = {name: values for name, values in tensors().items() if values.ndim == 2}
    trap = content["layers.3.fc1.weight"].copy()
    trap[3, 5] = 12.0
    saved(tmp_path / "a" / "step_1", content)
    saved(tmp_path / "a" / "step_2", content | {"layers.3.fc1.weight": trap})
    heavy = {name: _heavy(place, 1.6) for place, name in enumerate(content)}
    saved(tmp_path / "a" / "step_3", heavy)
    found = track(str(tmp_path / "a"), **{**QUICK, "metrics": "core"})
    notes = json.loads(found.to_json())["notes"]
    (low,) = [note for note in notes if note.startswith("alpha is under 2 at step 3")]
    assert "overfitting or memorisation" in low
    traps = [note for note in notes if note.startswith("traps appear at step 2 (1: layers.3.fc1.weight)")]
    assert len(traps) == 1
    rows = list(csv.DictReader(io.StringIO(found.to_csv())))
    assert [row["n_trap"] for row in rows] == ["0", "1", "0"]


def _heavy(seed: int, alpha: float) -> np.ndarray:
    """A matrix whose eigenvalues follow a power law of that exponent."""
    rng = np.random.default_rng(seed)
    u, _ = np.linalg.qr(rng.standard_normal((96, 64)))
    v, _ = np.linalg.qr(rng.standard_normal((64, 64)))
    eigenvalues = (1 - (np.arange(64) + 0.5) / 64) ** (-1 / (alpha - 1))
    return (u * np.sqrt(eigenvalues) @ v.T).astype("f4")


def test_movement_against_the_declared_direction_is_said(tmp_path: Path) -> None:
    model = run(tmp_path / "a", {step: step / 10 for step in range(1, 6)}, count=2)
    told = document(model)
    (note,) = [note for note in told["notes"] if note.startswith("against their declared direction")]
    assert "log_norm rises (rho +1.00 with the step)" in note
    assert "stable_rank" not in note


def test_one_checkpoint_is_a_run_too(tmp_path: Path) -> None:
    told = document(run(tmp_path / "a", {7: 0.0}, count=1))
    assert [each["step"] for each in told["steps"]] == [7]
    assert told["turning_points"] == told["known"] == []


def test_a_failure_of_all_is_said(tmp_path: Path) -> None:
    (tmp_path / "a" / "step_1").mkdir(parents=True)
    found = track(str(tmp_path / "a"), **QUICK)
    assert "no checkpoint could be scored" in found.to_markdown()
    assert found.to_html().startswith("<!DOCTYPE html>")


def test_files_are_written_together(found: RunTrack, tmp_path: Path) -> None:
    page = write_track(found, tmp_path / "out")
    assert sorted(each.name for each in (tmp_path / "out").iterdir()) == [
        "index.html",
        "known.csv",
        "track.csv",
        "track.json",
        "track.md",
    ]
    text = page.read_text()
    assert text.count("<svg") == 4
    rows = list(csv.DictReader((tmp_path / "out" / "known.csv").open()))
    assert {row["x"] for row in rows if row["warning"]} == {"log_norm", "log_spectral_norm"}


def test_a_metric_is_drawn_and_the_run_is_short_in_words(found: RunTrack) -> None:
    drawn = found.plot("log_norm").to_dict()["datasets"]["points"]
    assert [row["step"] for row in drawn] == list(COURSE)
    assert "7 of 7 checkpoints scored, 2 turning points" in repr(found)
    assert len(repr(found)) < 200


def test_public_names_are_one_function() -> None:
    assert wqscore.track is track
    assert isinstance(track, Callable)

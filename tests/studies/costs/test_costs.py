"""What each study reads and solves over five models with a warm store, and what `plan --study` says beforehand."""

from __future__ import annotations

import json
import os
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from typer.testing import CliRunner

import wqscore
from benchmarks.seven_b import CONFIG
from benchmarks.studies import STUDIES, Call, counted, seven_b
from tests.studies.screen.made import factors, write
from tests.symmetries.made import BERT, RELU, bert, chain
from tests.symmetries.tiny import build
from wqscore.api.settings import Settings
from wqscore.checkpoints.tensor import TensorRef
from wqscore.cli import app
from wqscore.errors import UsageError
from wqscore.metrics import analysis
from wqscore.studies.costs import own
from wqscore.studies.costs.costs import costs
from wqscore.studies.symmetry import outputs

OPT = {"model_type": "opt", "num_attention_heads": 2, "hidden_size": 64, "activation_function": "relu"}
MATRICES = 7
#: Of five models with seven matrices each, two of them MLPs' and four an attention's: tensors read, and eigensolves.
#: `diff` compares the first with each other: ΔW has its spectrum, and W and W' their leading directions.
EXPECTED = {
    "diff": (4 * 2 * MATRICES, 4 * 3 * MATRICES),
    "kin": (0, 0),
    "compress": (0, 0),
    "phase": (0, 0),
    "allocate": (0, 0),
    "width": (5 * 6, 0),
    "track": (0, 0),
    # The configuration names a type whose layout these tensors haven't.
    "symmetry": (0, 0),
    "screen": (4 * 2 * MATRICES, 4 * MATRICES),
}


def heavy(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    """A matrix that is no noise: the verdict of some takes a second eigensolve, which no plan knows."""
    mixing = rng.standard_normal((columns, columns)) / columns**0.5
    return np.asarray(rng.standard_t(3, (rows, columns)) @ mixing * 0.3, "f4")


def weights(seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    shapes = {f"layers.0.self_attn.{part}_proj.weight": (64, 64) for part in "qkvo"}
    shapes |= {"layers.0.fc1.weight": (96, 64), "layers.0.fc2.weight": (64, 96), "embed_tokens.weight": (90, 64)}
    return {name: heavy(rng, *shape) for name, shape in shapes.items()}


def stored(folder: Path, content: dict[str, np.ndarray], config: dict[str, Any]) -> str:
    save_file(content, folder / "model.safetensors")
    # The store doesn't record the contents of a file changed a moment ago.
    os.utime(folder / "model.safetensors", (time.time() - 60,) * 2)
    (folder / "config.json").write_text(json.dumps(config))
    return str(folder)


@pytest.fixture(scope="module")
def warm(settled: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], Settings]:
    """Five models, and settings with a store that has their scores."""
    root = tmp_path_factory.mktemp("five")
    models = []
    for seed in range(5):
        (root / str(seed)).mkdir()
        models.append(stored(root / str(seed), weights(seed), OPT))
    settings = Settings(store=root / "store.sqlite", jobs=1, bootstrap=10, gof=10)
    for model in models:
        wqscore.score(model, settings=settings)
    return models, settings


def test_every_study_is_counted_and_planned() -> None:
    assert set(STUDIES) == set(own.STUDIES) == set(EXPECTED)


@pytest.mark.parametrize("study", STUDIES)
def test_a_warm_study_reads_nothing_twice_and_solves_what_it_must(
    warm: tuple[list[str], Settings], study: str
) -> None:
    models, settings = warm
    found = [counted(call) for call in STUDIES[study](models, settings)]
    assert (sum(each.read for each in found), sum(each.solved for each in found)) == EXPECTED[study]
    assert not any(each.twice for each in found)


@pytest.mark.parametrize("study", STUDIES)
def test_the_plan_says_what_is_read_and_solved(warm: tuple[list[str], Settings], study: str) -> None:
    models, settings = warm
    found = [counted(call) for call in STUDIES[study](models, settings)]
    planned = [row.again for row in costs(models, [study], jobs=1).rows]
    assert [each.to_read for each in planned if each] == [each.to_read for each in found] or study in (
        "kin",
        "phase",
        "track",
    )
    assert sum(each.to_read for each in planned if each) == sum(each.to_read for each in found)
    assert sum(each.eigensolves for each in planned if each) == sum(each.solved for each in found)


def planned_and_counted(study: str, call: Call, *models: str) -> None:
    (row,) = costs(models, [study], jobs=1).rows
    found = counted(call)
    assert row.again is not None
    assert (row.again.to_read, row.again.eigensolves) == (found.to_read, found.solved)
    assert found.read > 0


def symmetry_is_planned(model: str, store: Path) -> None:
    settings = Settings(store=store, jobs=1, metrics="stable_rank", bootstrap=0, gof=0)
    wqscore.score(model, settings=settings)
    planned_and_counted("symmetry", partial(wqscore.symmetry, model, settings=settings), model)


@pytest.mark.parametrize(("made", "config"), [(bert, BERT), (chain, RELU)])
def test_every_draw_of_a_symmetry_is_planned(
    made: Any, config: dict[str, Any], settled: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outputs, "find_spec", lambda name: None)
    for check in ("is_random", "has_traps", "is_random_scaled"):
        monkeypatch.setattr(analysis, check, lambda *_: False)
    rng = np.random.default_rng(0)
    content = {name: heavy(rng, *each.shape) if each.ndim == 2 else each for name, each in made().items()}
    symmetry_is_planned(stored(tmp_path, content, config), tmp_path / "store.sqlite")


@pytest.mark.oracle("torch", "transformers")
@pytest.mark.parametrize("name", ["llama", "qwen3"])
def test_so_is_running_the_model(name: str, settled: None, tmp_path: Path) -> None:
    """Of Qwen3 the gains of queries and keys are read too."""
    folder = build(name, tmp_path / "model")
    os.utime(folder / "model.safetensors", (time.time() - 60,) * 2)
    symmetry_is_planned(str(folder), tmp_path / "store.sqlite")


def test_an_adapter_is_screened_by_its_factors_and_a_merged_model_by_its_change(tmp_path: Path) -> None:
    adapter = write(tmp_path / "adapter", factors(1))
    planned_and_counted("screen", partial(wqscore.screen, adapter, jobs=1), adapter)
    for seed in range(2):
        (tmp_path / str(seed)).mkdir()
        save_file(weights(seed), tmp_path / str(seed) / "model.safetensors")
    base, other = (str(tmp_path / str(seed)) for seed in range(2))
    rows = costs([base, adapter, other], ["screen"], jobs=1).rows
    assert [row.model for row in rows] == [adapter, f"{base} → {other}"]
    assert [row.again.eigensolves for row in rows if row.again] == [0, MATRICES]


def test_the_first_time_scoring_comes_on_top(warm: tuple[list[str], Settings]) -> None:
    models, _ = warm
    size = sum(values.nbytes for values in weights(0).values())
    rows = {row.study: row for row in costs(models[:1], ["all"], jobs=1).rows}
    for study, row in rows.items():
        assert row.first is not None
        assert row.again is not None
        times = {"diff": 2, "width": 0, "screen": 0}.get(study, 1)
        assert row.first.to_read - row.again.to_read == times * size
        assert row.first.eigensolves - row.again.eigensolves == times * MATRICES
        assert 0 <= row.again.seconds <= row.first.seconds <= row.first.most_seconds
        assert row.first.peak_memory >= row.again.peak_memory > 0


def test_a_7b_model_is_planned_from_its_headers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = seven_b(tmp_path / "seven-b")
    monkeypatch.setattr(TensorRef, "read", pytest.fail)
    rows = {row.study: row for row in costs(str(folder), ["all"], jobs=2).rows}
    assert list(rows) == list(own.STUDIES)
    width, diff = rows["width"].first, rows["diff"].again
    assert width is not None
    assert diff is not None
    layers, hidden, inner = (
        int(CONFIG["num_hidden_layers"]),
        int(CONFIG["hidden_size"]),
        int(CONFIG["intermediate_size"]),
    )
    assert width.to_read == 2 * layers * (4 * hidden**2 + 3 * hidden * inner)
    assert width.eigensolves == 0
    assert diff.eigensolves == 3 * (7 * layers + 2)
    assert rows["diff"].model == f"{folder} → another like it"


def invoke(*arguments: Any) -> Any:
    return CliRunner().invoke(app, ["plan", *map(str, arguments)])


def test_the_command_shows_studies(warm: tuple[list[str], Settings], tmp_path: Path) -> None:
    models, _ = warm
    done = invoke(*models[:2], "--study", "width", "--study", "diff", "--jobs", "1")
    assert done.exit_code == 0
    assert "once it is scored" in done.stdout
    assert f"{models[0]} → {models[1]}" in done.stdout.replace("\n", "")
    rows = json.loads(invoke(models[0], tmp_path / "no", "--study", "width", "--format", "json").stdout)["studies"]
    assert [bool(row["reason"]) for row in rows] == [False, True]
    failed = invoke(models[0], tmp_path / "no", "--study", "width", "--format", "csv")
    assert failed.exit_code == 3
    assert "no such folder or file" in failed.stderr


@pytest.mark.parametrize("study", ["glorp", ""])
def test_an_unknown_study_is_refused(warm: tuple[list[str], Settings], study: str) -> None:
    with pytest.raises(
        UsageError, match="choose from diff, kin, compress, phase, allocate, width, track, symmetry, screen, all"
    ):
        costs(warm[0], [study])
    done = invoke(*warm[0], "--study", study)
    assert done.exit_code == 2

"""`wqscore.phase` on grids of checkpoints: heat maps of metrics and of how alike weights are, and no phases."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file
from typer.testing import Result

import wqscore
from tests.examples import examples
from wqscore.api.settings import Settings
from wqscore.errors import UsageError
from wqscore.scoring import score_matrix
from wqscore.studies.phase.pattern import is_pattern, places_of

pytestmark = pytest.mark.usefixtures("settled")

Tensors = dict[str, np.ndarray]
QUICK = Settings(metrics=("stable_rank", "log_norm"), bootstrap=0, gof=0, jobs=1)
COLUMNS = {"size": "width", "temperature": "batch"}


def weights(width: int, batch: int, seed: int) -> Tensors:
    """A network of three matrices: a start of its seed, and a step away from it that grows with the batch."""
    start, away = np.random.default_rng([width, seed]), np.random.default_rng([width, seed, batch])
    shape = (60 + width, 56)
    return {
        f"layers.{i}.fc1.weight": (start.standard_normal(shape) + batch / 16 * away.standard_normal(shape)).astype(
            "f4"
        )
        for i in range(3)
    }


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two widths, three batch sizes and two seeds, a folder each."""
    root = tmp_path_factory.mktemp("runs")
    for width in (1, 2):
        for batch in (8, 16, 32):
            for seed in (0, 1):
                folder = root / f"w{width}-b{batch}" / f"s{seed}"
                folder.mkdir(parents=True)
                save_file(weights(width, batch, seed), folder / "model.safetensors")
    return root


def exact(one: Tensors, other: Tensors) -> float:
    """The median cosine of the matrices themselves."""
    pairs = [(one[name].ravel().astype("f8"), other[name].ravel().astype("f8")) for name in one]
    return float(np.median([a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in pairs]))


def test_a_grid_of_folders_has_heat_maps_of_metrics_and_likeness_and_no_phases(runs: Path) -> None:
    found = wqscore.phase(f"{runs}/w{{width}}-b{{batch}}/s*", **COLUMNS, settings=QUICK)
    assert found.thresholds is None
    assert {cell.phase for cell in found.cells} == {None}
    assert list(found.grid.maps) == ["log_norm", "stable_rank", "copy_cosine", "neighbour_cosine"]
    assert [(cell.size, cell.temperature) for cell in found.cells] == [(w, b) for w in (1, 2) for b in (8, 16, 32)]
    scores = {
        (model.size, model.temperature, model.ref.label[-1]): wqscore.score(model.ref, settings=QUICK).summary
        for model in found.models
    }
    assert len(scores) == 12
    for place, cell in enumerate(found.cells):
        mean = np.mean([scores[cell.size, cell.temperature, seed].statistics["log_norm"].median for seed in "01"])
        assert found.grid.maps["log_norm"][place] == pytest.approx(mean, rel=1e-12)
    document = json.loads(found.to_json())
    assert document["phases"] == []
    assert document["seed"] == 0
    assert len(document["models"]) == 12
    assert "no phases" in document["notes"][0]
    assert any(note.startswith("copy_cosine") for note in document["notes"])
    assert "<svg" in found.to_html()


def test_the_cosines_are_those_of_the_weights(runs: Path) -> None:
    found = wqscore.phase(f"{runs}/w{{width}}-b{{batch}}/s*", **COLUMNS, settings=QUICK)
    for place, cell in enumerate(found.cells):
        own = [weights(int(cell.size), int(cell.temperature), seed) for seed in (0, 1)]
        copies, beside = found.grid.maps["copy_cosine"][place], found.grid.maps["neighbour_cosine"][place]
        # Three sketches of 128 buckets err by about 0.07.
        assert copies == pytest.approx(exact(*own), abs=0.2)
        near = {8: [16], 16: [8, 32], 32: [16]}[int(cell.temperature)]
        others = [weights(int(cell.size), batch, seed) for batch in near for seed in (0, 1)]
        assert beside == pytest.approx(np.mean([exact(a, b) for a in own for b in others]), abs=0.15)


def test_equal_copies_have_the_cosine_1_and_other_shapes_have_none(tmp_path: Path) -> None:
    for name, content in {
        "w1-b1-a": weights(1, 8, 0),
        "w1-b1-b": weights(1, 8, 0),
        "w1-b2-a": weights(2, 8, 0),
    }.items():
        (tmp_path / name).mkdir()
        save_file(content, tmp_path / name / "model.safetensors")
    found = wqscore.phase(f"{tmp_path}/w{{width}}-b{{batch}}-*", **COLUMNS, settings=QUICK)
    assert found.grid.maps["copy_cosine"].tolist() == [
        pytest.approx(1, abs=1e-12),
        pytest.approx(np.nan, nan_ok=True),
    ]
    assert "neighbour_cosine" not in found.grid.maps


def test_a_table_names_the_checkpoints_and_keeps_its_columns(runs: Path) -> None:
    frame = pd.DataFrame(
        {"width": [1, 1, 1], "batch": [8, 8, 16], "acc": [0.5, 0.7, 0.9]}
        | {"where": [str(runs / name) for name in ("w1-b8/s0", "w1-b8/s1", "w1-b16/s0")]}
    )
    found = wqscore.phase(frame, **COLUMNS, good="acc", model="where", settings=QUICK)
    assert [cell.good for cell in found.cells] == [pytest.approx(0.6), 0.9]
    assert list(found.grid.maps) == ["acc", "log_norm", "stable_rank", "copy_cosine", "neighbour_cosine"]


def test_a_checkpoint_that_cannot_be_read_is_left_out_with_its_reason(
    runs: Path, invoke_here: Callable[..., Result]
) -> None:
    rows = [f"1,8,{runs / 'w1-b8/s0'}", f"1,16,{runs / 'nothing'}", f"1,16,{runs / 'w1-b16/s0'}"]
    done = invoke_here("\n".join(["width,batch,model", *rows]))
    assert done.exit_code == 3
    document = json.loads(done.stdout)
    assert [bool(model["reason"]) for model in document["models"]] == [False, True, False]
    assert any("without a score" in note and "nothing" in note for note in document["notes"])
    assert None not in document["maps"]["stable_rank"]


@pytest.fixture
def invoke_here(tmp_path: Path) -> Callable[..., Result]:
    from typer.testing import CliRunner

    from wqscore.cli import app

    def call(table: str) -> Result:
        (tmp_path / "grid.csv").write_text(table, encoding="utf-8")
        options = ["--size", "width", "--temperature", "batch", "--model", "model", "--no-store", "-q", "--jobs", "1"]
        more = ["--metrics", "stable_rank", "--format", "json"]
        return CliRunner().invoke(app, ["phase", str(tmp_path / "grid.csv"), *options, *more])

    return call


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("1,8,", "row 1 names no checkpoint in 'model'"),
        ("1,8,./nowhere", "no checkpoint could be read"),
        ("1,,./nowhere", "row 1 has no batch"),
    ],
)
def test_what_is_wrong_with_a_table_is_said_in_a_line(
    invoke_here: Callable[..., Result], rows: str, message: str
) -> None:
    done = invoke_here(f"width,batch,model\n{rows}")
    assert done.exit_code == 2
    assert message in done.stderr


def test_a_warm_store_solves_nothing(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    chosen = replace(QUICK, store=tmp_path / "store.sqlite")
    first = wqscore.phase(f"{runs}/w{{width}}-b{{batch}}/s*", **COLUMNS, settings=chosen)
    monkeypatch.setattr(score_matrix, "compute_spectrum", lambda *_: pytest.fail("solved again"))
    again = wqscore.phase(f"{runs}/w{{width}}-b{{batch}}/s*", **COLUMNS, settings=chosen)
    assert again.to_csv() == first.to_csv()


# -- patterns


@given(numbers=st.lists(st.integers(0, 10**6), min_size=1, max_size=4, unique=True), place=st.sampled_from("ab[c?"))
@settings(max_examples=examples(40))
def test_a_pattern_finds_what_it_describes(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[int], place: str
) -> None:
    root = tmp_path_factory.mktemp("pattern")
    for number in numbers:
        (root / f"{place}{number}-lr1e-3").mkdir()
    (root / f"{place}x-lr1e-3").mkdir()
    found = places_of(f"{root}/{place}{{width}}-lr{{lr}}")
    assert [each.numbers for each in found] == [{"width": float(number), "lr": 0.001} for number in sorted(numbers)]
    assert {Path(each.path) for each in found} == {root / f"{place}{number}-lr1e-3" for number in numbers}


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("runs/w{width}-{width}", "each field has a name of its own"),
        ("runs/w{}", "each field has a name of its own"),
        ("nowhere/w{width}", "nothing fits"),
    ],
)
def test_a_pattern_that_means_nothing_is_refused(pattern: str, message: str) -> None:
    assert is_pattern(pattern)
    with pytest.raises(UsageError, match=message):
        places_of(pattern)

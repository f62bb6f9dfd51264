"""`wqscore score`: the rows of layers.csv, in four formats."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from markdown_it import MarkdownIt
from safetensors import safe_open
from typer.testing import Result

from tests.cli.conftest import toy

Invoke = Callable[..., Result]


def test_csv_is_the_rows_of_layers_csv(checkpoints: Path, invoke: Invoke) -> None:
    model = checkpoints / "rxnmapper-albert"
    assert invoke("rank", model, "--out", "report").exit_code == 0
    done = invoke("score", model, "--format", "csv")
    assert done.exit_code == 0
    assert done.stdout == Path("report/layers.csv").read_text(encoding="utf-8")
    assert list(Path().iterdir()) == [Path("report")]


def test_every_tensor_of_a_real_model_is_there_in_every_format(checkpoints: Path, invoke: Invoke) -> None:
    model = checkpoints / "all-MiniLM-L6-v2"
    with safe_open(model / "model.safetensors", "np") as file:
        shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
    frame = pd.read_csv(io.StringIO(invoke("score", model, "--format", "csv").stdout))
    assert sorted(frame.name) == sorted(shapes)
    matrices = frame[frame["columns"].notna()]
    assert len(matrices) == 41
    for row in matrices.to_dict("records"):
        assert [row["rows"], row["columns"]] == shapes[row["name"]]
    document = json.loads(invoke("score", model, "--format", "json").stdout, parse_constant=pytest.fail)
    assert sorted(layer["name"] for layer in document["layers"]) == sorted(shapes)
    assert document["model"] == str(model)
    assert document["params"] == sum(map(math.prod, shapes.values()))
    scored = list(frame[frame.verdict != "skipped"].name)
    table = invoke("score", model).stdout
    assert [
        line.split()[0] for line in table.splitlines() if line.startswith(("embeddings.", "encoder.", "pooler."))
    ] == scored
    markdown = MarkdownIt().enable("table").parse(invoke("score", model, "--format", "md").stdout)
    cells = [token.children[0].content for token in markdown if token.type == "inline" and token.children]
    assert [cell for cell in cells if cell in shapes] == scored


def test_what_was_skipped_is_told_in_few_lines(checkpoints: Path, invoke: Invoke) -> None:
    model = checkpoints / "fracast" / "model.int8.safetensors"
    done = invoke("score", model)
    assert done.exit_code == 3
    assert "none of its 19 matrices could be scored" in done.stderr
    notes = done.stdout.split("\n\n")[-1].splitlines()
    assert notes[0].startswith("0 of 19 matrices fitted, 0.0% of the weights that belong in the averages")
    assert any(note.startswith("skipped 19: quantised: I8 codes are not read (core.") for note in notes)
    assert len(notes) <= 7
    # No table of dashes where nothing was fitted.
    assert "over matrices" not in done.stdout
    counted = sum(int(note.split()[1].rstrip(":")) for note in notes[1:])
    rows = list(csv.DictReader(io.StringIO(invoke("score", model, "--format", "csv").stdout)))
    assert counted == sum(row["verdict"] == "skipped" for row in rows)
    assert "- skipped 19: quantised" in invoke("score", model, "--format", "md").stdout


def test_strict_is_three_and_says_what_was_skipped(checkpoints: Path, invoke: Invoke) -> None:
    done = invoke("score", checkpoints / "fracast" / "model.int8.safetensors", "--strict", "-q")
    assert done.exit_code == 3
    assert "19 matrices were skipped" in done.stderr
    assert invoke("score", checkpoints / "rxnmapper-albert", "--strict").exit_code == 0


def test_out_writes_the_four_files(invoke: Invoke) -> None:
    model = toy(Path("model"))
    done = invoke("score", model, "--out", "a/b", "--format", "csv")
    assert done.exit_code == 0
    assert len(list(Path("a/b").iterdir())) == 5
    assert Path("a/b/layers.csv").read_text(encoding="utf-8") == done.stdout
    assert done.stderr.splitlines()[-1] == "report: a/b/index.html"


def test_a_single_file_and_its_folder_score_alike(invoke: Invoke) -> None:
    toy(Path("model"))
    folder = invoke("score", "model", "--format", "csv").stdout
    file = invoke("score", "model/model.safetensors", "--format", "csv").stdout
    assert file.count("model/model.safetensors") == 4
    assert folder == file.replace("model/model.safetensors", "model")


def test_the_preset_is_shown_with_its_own_names(invoke: Invoke) -> None:
    toy(Path("model"))
    shown = invoke("score", "model", "--preset", "ww-0.7").stdout
    assert "num_pl_spikes" in shown
    assert "n_tail" not in shown
    assert "preset ww-0.7" in shown

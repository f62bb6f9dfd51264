"""`wqscore width`: what it prints and writes, and its exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from typer.testing import Result

from tests.studies.width.embedded import drawn, widened

Invoke = Callable[..., Result]


@pytest.fixture
def wide(tmp_path: Path) -> Path:
    """A block of twelve neurons, each split into two."""
    rng = np.random.default_rng(0)
    block = widened(rng, drawn(rng, 12, 8, 8), 2)
    folder = tmp_path / "wide"
    folder.mkdir()
    tensors = {"layers.0.mlp.fc1.weight": block.into, "layers.0.mlp.fc1.bias": block.bias}
    tensors |= {"layers.0.mlp.fc2.weight": block.out, "layers.0.mlp.fc2.bias": block.out_bias}
    save_file(
        {name: np.ascontiguousarray(each, "f4") for name, each in tensors.items()}, folder / "model.safetensors"
    )
    return folder


def test_a_table_and_a_sentence(invoke: Invoke, wide: Path) -> None:
    done = invoke("width", wide, "--activation", "gelu", "-q")
    assert (done.exit_code, done.stderr) == (0, "")
    assert "layers.0.mlp" in done.stdout
    assert "at a tolerance of 1e-06, 12 of its 24 neurons in 1 block do what all do." in done.stdout.replace(
        "\n", " "
    )


def test_json_and_the_files_of_out(invoke: Invoke, wide: Path, tmp_path: Path) -> None:
    arguments = ("--activation", "gelu", "--tolerance", "0.01", "--out", tmp_path / "out", "--format", "json", "-q")
    done = invoke("width", wide, *arguments, SOURCE_DATE_EPOCH="0")
    assert (tmp_path / "out" / "width.json").read_text() == done.stdout
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "width.csv",
        "width.json",
        "width.md",
        "index.html",
    }
    document = json.loads(done.stdout)
    assert list(document)[:4] == ["schema_version", "wqscore", "created", "seed"]
    (block,) = document["blocks"]
    assert {"name", "activation", "stored", "silent", "constant", "effective", "error_bound"} <= block.keys()
    assert block["effective"] == {"0.01": 12}


def test_the_narrower_checkpoint(invoke: Invoke, wide: Path, tmp_path: Path) -> None:
    done = invoke("width", wide, "--activation", "gelu", "--write", tmp_path / "narrow", "-q")
    assert done.exit_code == 0
    assert "Written to" in done.stdout
    written = tmp_path / "narrow" / "model.safetensors"
    assert load_file(written)["layers.0.mlp.fc1.weight"].shape == (12, 8)
    (tmp_path / "usual").touch()
    assert written.stat().st_mode == (tmp_path / "usual").stat().st_mode
    assert [path.name for path in (tmp_path / "narrow").iterdir()] == ["model.safetensors"]
    again = invoke("width", wide, "--activation", "gelu", "--write", tmp_path / "narrow", "-q")
    assert again.exit_code == 2
    assert "is not empty: name a new folder with --write" in again.stderr


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ((), 3, "no block of two layers could be measured: layers.0.mlp: the configuration names no activation"),
        (("--activation", "glorp"), 2, "no such activation: 'glorp'"),
        (("--activation", "relu", "--tolerance", "0"), 2, "tolerance is 0.0: give numbers above 0 and below 1"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(
    invoke: Invoke, wide: Path, options: tuple[str, ...], code: int, message: str
) -> None:
    done = invoke("width", wide, *options, "-q")
    assert done.exit_code == code
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_missing_model(invoke: Invoke, tmp_path: Path) -> None:
    done = invoke("width", tmp_path / "no", "-q")
    assert done.exit_code in (2, 3)
    assert "no such folder or file" in done.stderr

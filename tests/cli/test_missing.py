"""A model that is missing, or holds nothing, is that model's failure: exit 3, one line, and the others go on."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

from tests.cli.conftest import toy

Invoke = Callable[..., Result]

QUICK = ("--bootstrap", "0", "--gof", "0")
GONE = "no such folder or file: ./gone: check the path"


@pytest.fixture(autouse=True)
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    toy(tmp_path / "good")
    return tmp_path


@pytest.mark.parametrize(
    "command",
    [("score",), ("describe",), ("check",), ("gate", "--rule", "alpha>100", "--quiet")],
)
def test_a_missing_model_is_exit_code_3_with_one_line(command: tuple[str, ...], invoke: Invoke) -> None:
    done = invoke(command[0], "./gone", *command[1:])
    assert done.exit_code == 3, done.stderr
    assert done.stderr == f"wqscore: {GONE}\n"


@pytest.mark.parametrize("gone", ["./gone", "gone.safetensors", "gone", "good/gone", "good/gone/further"])
@pytest.mark.parametrize("command", [("rank", *QUICK, "--no-report"), ("plan",)])
def test_the_others_are_ranked_and_planned(command: tuple[str, ...], gone: str, invoke: Invoke) -> None:
    done = invoke(command[0], "good", gone, *command[1:], "--format", "json")
    assert done.exit_code == 3
    models = json.loads(done.stdout)["models"]
    assert [bool(model["reason"]) for model in models] == [False, True]
    assert gone.removesuffix("/further") in models[1]["reason"]


@pytest.mark.parametrize("command", ["rank", "plan"])
def test_if_none_is_there_the_usage_is_wrong(command: str, invoke: Invoke) -> None:
    done = invoke(command, "./gone", "./away")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == f"wqscore: {GONE}\n"


def test_a_folder_without_a_checkpoint_names_all_that_were_tried(invoke: Invoke) -> None:
    for name in ("a/deep", "b"):
        Path("none", name).mkdir(parents=True)
    done = invoke("rank", "good", "none", *QUICK, "--no-report", "--format", "json", "--quiet")
    assert done.exit_code == 3
    ranked, failed = json.loads(done.stdout)["models"]
    assert (ranked["status"], failed["status"]) == ("ranked", "failed")
    assert failed["reason"].endswith("No checkpoint is in the folders below it either: a, a/deep, b")


def test_a_mistyped_folder_names_the_nearest_one(desk: Path, invoke: Invoke) -> None:
    toy(desk / "runs" / "bert_ft")
    done = invoke("score", "runs/bert_ftt")
    assert (done.exit_code, done.stderr) == (3, "wqscore: no folder runs/bert_ftt; did you mean runs/bert_ft?\n")


def test_a_night_is_built_without_a_folder_that_vanished(desk: Path, invoke: Invoke) -> None:
    toy(desk / "other", seed=1)
    Path("list.toml").write_text(
        '[list]\ntitle = "mine"\n'
        + "".join(f'[[models]]\nid = "./{name}"\naliases = ["{name}-model"]\n' for name in ("good", "other"))
    )
    assert invoke("leaderboard", "build", "list.toml", "--out", "site").exit_code == 0
    (desk / "other").rename(desk / "elsewhere")
    done = invoke("leaderboard", "build", "list.toml", "--out", "site")
    assert done.exit_code == 3
    pages = [path.read_text() for path in Path("site").rglob("*.html")]
    assert any("other-model" in page and "no such folder or file" in page for page in pages)
    assert not any(str(desk) in page for page in pages)


def safetensors(tensors: dict[str, tuple[str, list[int], int]]) -> bytes:
    """A file of zeros: the type, shape and bytes of each tensor."""
    header, position = {}, 0
    for name, (dtype, shape, size) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [position, position + size]}
        position += size
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(position)


def without_parameters(folder: Path) -> dict[str, Path]:
    folder.mkdir()
    (folder / "none.safetensors").write_bytes(safetensors({}))
    (folder / "buffers.safetensors").write_bytes(safetensors({"position_ids": ("I64", [3], 24)}))
    (folder / "empty.safetensors").write_bytes(safetensors({"fc.weight": ("F32", [0, 4], 0)}))
    np.savez(folder / "none.npz")
    np.save(folder / "one.npy", np.zeros((0, 4), np.float32))
    graph = b"\x12\x01g"
    (folder / "none.onnx").write_bytes(b"\x3a" + bytes([len(graph)]) + graph)
    return {path.name: path for path in folder.iterdir()}


@pytest.mark.parametrize("command", ["score", "describe", "check"])
def test_a_model_without_a_parameter_is_exit_code_3(command: str, desk: Path, invoke: Invoke) -> None:
    for name, path in without_parameters(desk / "nothing").items():
        done = invoke(command, path)
        assert (done.exit_code, done.stdout) == (3, ""), name
        assert len(done.stderr.splitlines()) == 1, name
        assert "is this the file or folder of the model's weights?" in done.stderr, name


def test_a_model_of_no_matrix_is_not_scored_though_it_is_described(desk: Path, invoke: Invoke) -> None:
    path = desk / "rows.safetensors"
    path.write_bytes(safetensors({"norm.weight": ("F32", [8], 32)}))
    done = invoke("score", path)
    assert done.exit_code == 3
    assert "none of its tensors is a matrix to score" in done.stderr
    assert [invoke(command, path).exit_code for command in ("describe", "check")] == [0, 0]

"""GGUF files that hold something else than a model."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import pytest
from typer.testing import CliRunner

from wqscore.checkpoints.gguf.file import read_gguf
from wqscore.cli import app
from wqscore.errors import CheckpointError

ARRAY = np.ones((64, 64), np.float32)


def write(file: Path, kind: str | None, architecture: str = "llama") -> Path:
    writer = gguf.GGUFWriter(file, architecture)
    if kind is not None:
        writer.add_string("general.type", kind)
    writer.add_tensor("blk.0.attn_q.weight", ARRAY)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


@pytest.mark.parametrize(
    ("kind", "architecture", "message"),
    [
        ("imatrix", "llama", "an importance matrix"),
        ("mmproj", "clip", "a projector"),
        (None, "clip", "a projector"),
        ("model", "controlvector", "a control vector"),
        ("vocab", "llama", "a vocabulary"),
        ("something else", "llama", "of general.type 'something else', not a model"),
    ],
)
def test_a_file_that_holds_no_model_is_refused(
    kind: str | None, architecture: str, message: str, tmp_path: Path
) -> None:
    file = write(tmp_path / "model.gguf", kind, architecture)
    with pytest.raises(CheckpointError, match=message) as refusal:
        read_gguf(file)
    assert "\n" not in str(refusal.value)
    for command in ("score", "describe"):
        assert CliRunner().invoke(app, [command, str(file)]).exit_code == 3


@pytest.mark.parametrize("kind", ["model", None])
def test_a_model_is_read(kind: str | None, tmp_path: Path) -> None:
    assert len(read_gguf(write(tmp_path / "model.gguf", kind))[1]) == 1


def test_every_type_that_the_package_knows_is_decided(tmp_path: Path) -> None:
    known = {value for name, value in vars(gguf.GGUFType).items() if not name.startswith("_")}
    for kind in known - {"model", "adapter"}:
        with pytest.raises(CheckpointError, match=r"is an? "):
            read_gguf(write(tmp_path / f"{kind}.gguf", kind))

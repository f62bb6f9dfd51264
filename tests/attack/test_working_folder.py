"""The command in a stranger's folder: modules of names that Python imports lie beside the weights."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.attack.attack import python, safetensors
from tests.cli.conftest import COMMAND, environment

_MODULES = ("difflib", "json", "numpy", "sitecustomize", "torch", "transformers", "typer", "usercustomize", "yaml")


@pytest.mark.skipif(not COMMAND.exists(), reason="the command is not installed")
def test_no_module_is_imported_from_the_working_folder(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model/model.safetensors").write_bytes(safetensors())
    for name in _MODULES:
        (tmp_path / f"model/{name}.py").write_text(python(tmp_path / name))
    done = subprocess.run(
        [COMMAND, "check", "--quiet", "."],
        cwd=tmp_path / "model",
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert not [name for name in _MODULES if (tmp_path / name).exists()]

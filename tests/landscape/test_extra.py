"""The base knows nothing of the landscape, and says what to install when it is asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from tests import structure
from wqscore.cli import app


@pytest.fixture
def without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[:2] == ["wqscore", "landscape"]]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)


def test_only_the_command_imports_the_room() -> None:
    graph = structure.import_graph()
    importers = {
        name
        for name, imported in graph.items()
        if structure.top(name) != "landscape" and any(structure.top(other) == "landscape" for other in imported)
    }
    assert importers == {"cli.landscape"}


def test_the_command_line_imports_no_torch() -> None:
    code = (
        "import sys, wqscore, wqscore.cli; print({'torch', 'curvlinops', 'wqscore.landscape'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.usefixtures("without_torch")
def test_without_torch_one_line_names_the_extra() -> None:
    done = CliRunner().invoke(app, ["landscape", "a", "--task", "nothing:here"])
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == (
        "wqscore: the landscape needs torch, which is not installed: pip install 'wqscore[landscape]'\n"
    )


@pytest.mark.usefixtures("without_torch")
def test_without_torch_an_import_is_an_import_error() -> None:
    with pytest.raises(ImportError, match=r"wqscore\[landscape\]"):
        import wqscore.landscape  # noqa: F401

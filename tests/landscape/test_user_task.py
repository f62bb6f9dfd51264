"""`--task`: what is imported, from where, and what its failures say."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.oracles import Oracle
from wqscore.errors import UsageError, WqscoreError

pytestmark = pytest.mark.oracle("torch")
user_task = Oracle("wqscore.landscape.user_task")

GOOD = """
from tests.landscape.made import network, task_of
def task(ref): return task_of(network(8, 4, 3, seed=int(ref)))
def number(ref): return 3
def fails(ref): raise ValueError("no\\nsuch file")
value = 3
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working folder with a module of tasks."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "own_tasks.py").write_text(GOOD)
    (tmp_path / "broken_tasks.py").write_text("import nothing_of_this_name")
    yield tmp_path
    for name in ("own_tasks", "broken_tasks", "in_a_checkpoint"):
        sys.modules.pop(name, None)


@pytest.mark.usefixtures("here")
def test_a_function_of_the_working_folder_makes_tasks() -> None:
    task = user_task.load_function("own_tasks:task", ["1"])("1")
    assert task.n == 60
    assert sys.path[-1] == str(Path.cwd())


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("own_tasks", "give package.module:function"),
        ("own tasks:task", "give package.module:function"),
        ("own_tasks:a.b", "give package.module:function"),
        ("no_such_tasks:task", "there is no module no_such_tasks: put its folder on PYTHONPATH"),
        ("own_tasks:nothing", "own_tasks has no function nothing"),
        ("own_tasks:value", "own_tasks has no function value"),
        ("broken_tasks:task", "broken_tasks can't be imported: ModuleNotFoundError: No module named 'nothing_of"),
    ],
)
def test_what_can_t_be_imported_is_one_line(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        user_task.load_function(text, ["1"])


@pytest.mark.usefixtures("here")
def test_a_function_that_returns_something_else_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match=r"own_tasks:number returns a int: return a wqscore.landscape.Task"):
        user_task.load_function("own_tasks:number", ["1"])("1")


@pytest.mark.usefixtures("here")
def test_what_a_function_raises_is_that_model_s_failure() -> None:
    with pytest.raises(WqscoreError, match="seed: own_tasks:fails failed: ValueError: no such file") as caught:
        user_task.load_function("own_tasks:fails", ["seed"])("seed")
    assert not isinstance(caught.value, UsageError)


def test_code_of_a_checkpoint_is_never_run(here: Path) -> None:
    model = here / "model"
    model.mkdir()
    (model / "in_a_checkpoint.py").write_text("raise SystemExit('it ran')")
    sys.path.append(str(model))
    with pytest.raises(UsageError, match="lies in the model's folder model; code of a checkpoint is never run"):
        user_task.load_function("in_a_checkpoint:task", ["model"])


def test_nothing_in_the_working_folder_hides_an_installed_package(here: Path) -> None:
    (here / "yaml.py").write_text("raise SystemExit('it ran')")
    sys.modules.pop("own_tasks", None)
    made: Any = user_task.load_function("own_tasks:task", [])
    import yaml

    assert callable(made)
    assert Path(str(yaml.__file__)).parent != here

"""`wqscore landscape`: what it prints and writes, and its exit codes."""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_type_hints

import pytest
from typer.testing import Result

from wqscore.cli.landscape import MeasureOptions

pytestmark = pytest.mark.oracle("torch", "scipy")
Invoke = Callable[..., Result]

TASKS = """
import torch
from tests.landscape.made import network, task_of
def task(ref):
    made = task_of(network(8, 4, 3, seed=int(ref[-1])))
    if ref == "nan0":
        made.model[0].weight.data.fill_(float("nan"))
    return made
def number(ref): return 3
def stops(ref):
    if ref != "s1":
        raise KeyboardInterrupt
    return task(ref)
"""


@pytest.fixture
def run(tmp_path: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> Iterator[Invoke]:
    """Run the command in a folder with a module of tasks."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "tasks_of_test.py").write_text(TASKS)
    yield lambda *words, **options: invoke("landscape", *words, "--metrics", "none", **options)
    sys.modules.pop("tasks_of_test", None)


def test_a_table_and_what_it_can_t_tell(run: Invoke) -> None:
    done = run("s1", "s2", "--task", "tasks_of_test:task", "-q")
    assert (done.exit_code, done.stderr) == (0, "")
    for word in ("hessian_trace", "linear_mc_error", "cka", "l2", "this table can't tell"):
        assert word in done.stdout.replace("\n", " ")


def test_json_and_the_files_of_out(run: Invoke, tmp_path: Path) -> None:
    words = ("--pairs", "cka,aligned", "--format", "json", "--out", "out", "--seed", "4", "--probes", "5", "-q")
    done = run("s1", "s2", "--task", "tasks_of_test:task", *words, SOURCE_DATE_EPOCH="0")
    assert (tmp_path / "out" / "landscape.json").read_text() == done.stdout
    document = json.loads(done.stdout)
    assert (document["seed"], document["probes"]) == (4, 5)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *("landscape.csv", "landscape.json", "landscape.md", "pairs.csv")
    }
    with (tmp_path / "out" / "pairs.csv").open() as file:
        assert [row["measure"] for row in csv.DictReader(file)] == ["cka", "aligned_mc_loss"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--task", "tasks_of_test:number"), "tasks_of_test:number returns a int"),
        ((), "what is the loss? Give either --task MODULE:FUNCTION or --text FILE"),
        (("--task", "tasks_of_test:task", "--text", "a"), "what is the loss? Give either"),
        (("--task", "tasks_of_test:task", "--measure", "hesian"), "did you mean hessian"),
        (("--text", "no-such-file"), "--text no-such-file: can't be read: No such file"),
    ],
)
def test_wrong_usage_is_one_line(run: Invoke, words: tuple[str, ...], message: str) -> None:
    done = run("s1", *words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_nan_loss_is_a_line_and_exit_code_3(run: Invoke) -> None:
    done = run("nan0", "s1", "--task", "tasks_of_test:task", "--format", "json", "-q")
    assert done.exit_code == 3
    assert done.stderr == "wqscore: nan0: the loss is nan: nothing can be measured around it\n"
    assert [bool(model["measures"]) for model in json.loads(done.stdout)["models"]] == [False, True]


def test_an_interrupt_keeps_what_was_measured(run: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import typer

    def leave() -> None:
        raise typer.Exit(130)

    monkeypatch.setattr(sys.modules["wqscore.cli.landscape"], "leave_interrupted", leave)
    done = run("s1", "s2", "--task", "tasks_of_test:stops", "--pairs", "none", "--out", "out", "-q")
    assert done.exit_code == 130
    assert done.stderr == "wqscore: interrupted: keeping what was measured before\n"
    (first, second) = json.loads((tmp_path / "out" / "landscape.json").read_text())["models"]
    assert first["measures"]
    assert second["reason"] == "s2: interrupted before it was measured"


def test_the_help_lists_the_measures_that_there_are() -> None:
    """The command line imports no torch, so it can't ask the registry, of which importing any part imports it."""
    from wqscore.landscape import registry

    hints = get_type_hints(MeasureOptions, include_extras=True)
    (measure,), (pairs,) = (hints[name].__metadata__ for name in ("measure", "pairs"))
    assert re.findall(r"\w+(?=[,;])", measure.help) == [name for name in registry.MODEL_MEASURES if name != "level"]
    assert re.findall(r"\w+(?=, )", pairs.help) == [*registry.PAIR_MEASURES]
    assert f"[default: {','.join(registry.USUAL_PAIRS)}]" in pairs.help
    assert MeasureOptions().measure.split(",") == [name for name in registry.USUAL_MEASURES if name != "level"]

"""Wrong usage in one line and one style, whatever the parser of options says; and help that fits in 80 columns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from tests.cli.conftest import toy
from wqscore.cli import app
from wqscore.cli.usage_errors import worded

Invoke = Callable[..., Result]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["score", "a", "b"], "score takes one model; use rank for several"),
        (["describe", "a", "b"], "describe takes one model; use plan for several"),
        (["score", "x", "--out"], "--out needs a value: write one after it, or leave --out out"),
        (["plot", "x", "--chart", "dept", "--out", "x.svg"], "no 'dept' (--chart): did you mean depth?"),
        (["rank", "x", "--memory", "lots"], "--memory: 'lots' is no amount of memory: write 4GB, 800MB or 2GiB"),
        (["store", "merge"], "OTHER... is missing (wqscore store merge): see wqscore store merge --help"),
        (["rank", "x", "--jobs", "many"], "--jobs should be a valid integer"),
        (["rank", "x", "--\x1b[31mjobs", "1"], "no option --\\x1b[31mjobs (wqscore rank): see wqscore rank --help"),
    ],
)
def test_every_error_has_one_style(invoke: Invoke, arguments: list[str], line: str) -> None:
    done = invoke(*arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"wqscore: {line}")
    assert done.stderr.count("\n") == 1
    assert "Value error" not in done.stderr


def test_an_error_without_a_place_is_worded_too() -> None:
    assert worded(typer.BadParameter("Something odd.")) == "something odd (wqscore): see wqscore --help"


@pytest.mark.parametrize("group", [[], ["store"], ["leaderboard"], ["allocate"]])
def test_summaries_fit_on_a_line_of_80_columns(group: list[str]) -> None:
    text = CliRunner(env={"COLUMNS": "80", "NO_COLOR": "1"}).invoke(app, [*group, "--help"]).stdout
    commands = text.partition("Commands:\n")[2].rstrip().splitlines()
    assert len(commands) >= 2
    for line in commands:
        # Click cuts where 78 columns less 2 would be exceeded; its runner, though, prints as if there were 80.
        assert len(line) <= 76 and line.startswith("  ") and line[2] != " "
        assert line.endswith(".") and not line.endswith("..")


def test_a_model_named_twice_is_told_and_counts_once(invoke: Invoke) -> None:
    toy_path = toy(Path("model"), layers=1)
    done = invoke("rank", toy_path, toy_path, "--no-report", "--format", "csv", "--no-store", "--bootstrap", "0")
    assert f"wqscore: {toy_path} was named twice: it counts once\n" in done.stderr
    assert len(done.stdout.splitlines()) == 2
    quiet = invoke("rank", toy_path, toy_path, "--no-report", "--format", "csv", "--no-store", "-q")
    assert "twice" not in quiet.stderr

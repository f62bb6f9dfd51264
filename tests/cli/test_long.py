"""`--format csv --long`: the tidy rows that `to_csv(tidy=True)` has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

import wqscore
from tests.cli.conftest import toy

Invoke = Callable[..., Result]


def test_score_and_rank_print_tidy_rows(invoke: Invoke, tmp_path: Path) -> None:
    for seed in range(2):
        toy(tmp_path / f"run-{seed}", seed, layers=2)
    long = ["--format", "csv", "--long", "-q"]
    assert invoke("score", "run-0", *long).stdout == wqscore.score("run-0").to_csv(tidy=True)
    done = invoke("rank", "run-0", "run-1", "--no-report", *long)
    ranking = wqscore.rank(["run-0", "run-1"])
    assert done.stdout == ranking.to_csv(tidy=True)
    assert ranking.conclusion.text in done.stderr


@pytest.mark.parametrize("command", [["score", "run"], ["rank", "run", "--no-report"]])
def test_long_needs_csv(invoke: Invoke, tmp_path: Path, command: list[str]) -> None:
    toy(tmp_path / "run", layers=1)
    done = invoke(*command, "--long")
    assert done.exit_code == 2
    assert done.stderr == "wqscore: --long is for --format csv, not table: add it, or leave --long out\n"

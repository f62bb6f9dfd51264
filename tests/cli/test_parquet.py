"""`--format parquet`: to a pipe, refused on a terminal, and the message without pyarrow."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import Result

from tests.cli.conftest import COMMAND, InTerminal, environment, toy


@pytest.mark.parametrize("command", ["score model", "rank model --no-report"])
def test_standard_output_is_the_file(tmp_path: Path, command: str) -> None:
    toy(tmp_path / "model")
    for kind in ("parquet", "csv"):
        with (tmp_path / kind).open("wb") as file:
            arguments = [str(COMMAND), *command.split(), "-q", "--format", kind]
            subprocess.run(arguments, cwd=tmp_path, env=environment(), stdout=file, check=True)
    frame, text = pd.read_parquet(tmp_path / "parquet"), pd.read_csv(tmp_path / "csv")
    assert list(frame.columns) == list(text.columns)
    pd.testing.assert_series_equal(frame["alpha"], text["alpha"], rtol=1e-15)


@pytest.mark.parametrize("command", ["score", "rank"])
def test_a_terminal_gets_a_line_and_no_bytes(in_terminal: Callable[..., InTerminal], command: str) -> None:
    # There is no such model: this is found out before anything is looked for.
    done = in_terminal(command, "org/nothing", "--format", "parquet", columns=200)
    assert done.returncode == 2
    assert done.left.strip() == (
        "wqscore: --format parquet is no text: send it to a file or another program: ... > scores.parquet"
    )


def test_without_pyarrow_it_is_said_what_to_install(tmp_path: Path) -> None:
    # A package of that name that can't be imported comes first on the path.
    (tmp_path / "pyarrow").mkdir()
    (tmp_path / "pyarrow" / "__init__.py").write_text("raise ImportError", encoding="utf-8")
    root = Path(__file__).parents[2]
    env = environment(PYTHONPATH=f"{tmp_path}:{root}")
    done = subprocess.run(
        [str(COMMAND), "score", "nothing", "--format", "parquet"],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "wqscore: --format parquet needs pyarrow: pip install 'wqscore[parquet]'\n"


def test_other_commands_have_no_parquet(invoke: Callable[..., Result]) -> None:
    assert invoke("describe", "nothing", "--format", "parquet").exit_code == 2

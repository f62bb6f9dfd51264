"""Streams: pipes that close early, devices that are full, terminals wide and narrow, logs without colour."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

from tests.cli.conftest import COMMAND, InTerminal, environment, toy
from wqscore.rendering.html import kept_scripts

Run = Callable[..., subprocess.CompletedProcess[str]]
Terminal = Callable[..., InTerminal]


def test_help_and_version_import_nothing_heavy() -> None:
    program = """
import sys
from typer.testing import CliRunner
from wqscore.cli import app
for arguments in (["-h"], ["--version"], ["rank", "-h"], ["score", "-h"], ["describe", "-h"], ["models", "-h"]):
    assert CliRunner().invoke(app, arguments).exit_code == 0, arguments
heavy = {"numpy", "numba", "scipy", "pandas", "transformers", "huggingface_hub", "jinja2", "altair", "torch"}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("arguments", [["metrics"], ["metrics", "alpha"], ["describe", "model"], ["models"]])
def test_quick_commands_import_only_what_they_use(arguments: list[str], tmp_path: Path) -> None:
    # The configuration leaves out what cuts the fused projection, and the head may be tied.
    weights = {"wte.weight": (9, 64), "lm_head.weight": (9, 64), "h.0.attn.query_key_value.weight": (192, 64)}
    toy(tmp_path / "model", **{name: np.ones(shape, "f4") for name, shape in weights.items()})
    (tmp_path / "model" / "config.json").write_text('{"model_type": "gpt_neox", "hidden_size": 64}')
    program = f"""
import sys
from typer.testing import CliRunner
from wqscore.cli import app
result = CliRunner().invoke(app, {arguments!r})
heavy = {{"numba", "scipy", "pandas", "pyarrow", "transformers", "huggingface_hub", "jinja2", "altair", "torch"}}
print(result.exit_code, sorted(heavy & set(sys.modules)))
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=True)
    assert done.stdout == "0 []\n"


def test_a_report_of_stored_models_imports_nothing_that_compiles_or_draws(
    invoke: Callable[..., Result], tmp_path: Path
) -> None:
    for seed, name in enumerate(("a", "b")):
        toy(tmp_path / name, seed)
    assert invoke("rank", "a", "b", "--store", "store.sqlite", "--out", "first", "-q").exit_code == 0
    program = f"""
import sys
from pathlib import Path
from typer.testing import CliRunner
from wqscore.cli import app
from wqscore.rendering.html import kept_scripts
kept_scripts.standard_folder = lambda: Path({str(kept_scripts.standard_folder())!r})
result = CliRunner().invoke(app, ["rank", "a", "b", "--store", "store.sqlite", "--out", "second", "-q"])
heavy = {{"numba", "scipy", "pandas", "pyarrow", "transformers", "huggingface_hub", "altair", "vl_convert", "torch"}}
print(result.exit_code, sorted(heavy & set(sys.modules)))
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=True)
    assert done.stdout == "0 []\n"
    first, second = ((tmp_path / name / "layers.csv").read_bytes() for name in ("first", "second"))
    assert first == second


@pytest.mark.oracle("distributed", "ray", "torch")
def test_no_module_imports_torch() -> None:
    """But those of the landscape, which is an extra."""
    program = """
import importlib, sys
from pathlib import Path
import wqscore
folder = Path(wqscore.__file__).parent
files = [file.relative_to(folder.parent) for file in sorted(folder.rglob("*.py"))]
names = [".".join(file.with_suffix("").parts) for file in files if "landscape" not in file.parts[1:-1]]
for name in names:
    importlib.import_module(name)
print(len(names) > 50, sorted({"torch", "transformers", "weightwatcher"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "True []\n"


@pytest.mark.parametrize("command", [["score", "model", "--format", "json"], ["models"]])
def test_a_reader_that_leaves_early_is_no_error(command: list[str], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    # More than a pipe holds, so that the rest is written after the reader has gone.
    many = {f"layers.{i}.fc1.bias": rng.standard_normal(8).astype("f4") for i in range(2000)}
    toy(tmp_path / "model", **many)
    writer = subprocess.Popen(
        [str(COMMAND), *command],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    reader = subprocess.run(["head", "-1"], stdin=writer.stdout, capture_output=True, text=True, check=True)
    assert writer.stdout is not None
    writer.stdout.close()
    assert writer.stderr is not None
    stderr = writer.stderr.read()
    assert writer.wait(timeout=300) == 0
    assert len(reader.stdout.splitlines()) == 1
    assert [line for line in stderr.splitlines() if not line.startswith("model: 4 matrices")] == []


def test_the_report_is_written_though_nobody_reads_the_ranking(wqscore: Run, tmp_path: Path) -> None:
    toy(tmp_path / "model")
    with subprocess.Popen(["true"], stdin=subprocess.PIPE) as gone:
        gone.wait()
        done = wqscore("rank", "model", "--out", "report", stdout=gone.stdin)
    assert done.returncode == 0
    assert done.stderr.splitlines()[-1] == "report: report/index.html"
    assert len(list((tmp_path / "report").iterdir())) == 5


@pytest.mark.parametrize("output", ["table", "csv"])
def test_standard_output_on_a_full_disk(wqscore: Run, tmp_path: Path, output: str) -> None:
    toy(tmp_path / "model")
    with Path("/dev/full").open("w") as full:
        done = wqscore("score", "model", "--format", output, "-q", stdout=full)
    assert done.returncode == 3
    assert done.stderr == "wqscore: standard output: can't be written: No space left on device\n"


def test_streams_that_are_closed(tmp_path: Path) -> None:
    toy(tmp_path / "model")
    for closed, arguments, code in (
        (">&-", "score model", 0),
        ("2>&-", "score model", 0),
        ("2>&-", "score nothing", 3),
        ("2>&-", "score model --jobs none", 2),
    ):
        command = f"'{COMMAND}' {arguments} {closed}"
        done = subprocess.run(command, shell=True, cwd=tmp_path, env=environment(), capture_output=True, check=False)
        assert done.returncode == code
        assert b"Traceback" not in done.stderr
        assert (b"layers.0.fc1.weight" in done.stdout) == (closed == "2>&-" and code == 0)


def test_without_a_terminal_there_are_lines_and_neither_bars_nor_colours(wqscore: Run, tmp_path: Path) -> None:
    toy(tmp_path / "model")
    for env in ({}, {"FORCE_COLOR": "1", "TTY_COMPATIBLE": "1", "GITHUB_ACTIONS": "true"}):
        done = wqscore("score", "model", env=env)
        assert re.fullmatch(r"model: 4 matrices, 98.3 kB, \d+\.\d s\n", done.stderr)
        assert "\x1b" not in done.stdout + done.stderr
        assert not re.search(r" $", done.stdout, re.MULTILINE)
        assert max(map(len, done.stdout.splitlines())) > 100, "nothing is left out of a file"


def test_data_is_utf_8_and_tables_lose_only_what_the_encoding_lacks(wqscore: Run, tmp_path: Path) -> None:
    toy(tmp_path / "modèle")
    env = {"PYTHONIOENCODING": "ascii"}
    for command in (["score", "modèle", "-q"], ["models"], ["rank", "--help"]):
        done = wqscore(*command, env=env)
        assert done.returncode == 0, done.stderr
        assert done.stdout.isascii()
    assert wqscore("score", "modèle", "-q", "--format", "csv", env=env).stdout.splitlines()[1].startswith("modèle,")


def test_bars_are_drawn_on_the_terminal_and_data_goes_to_the_pipe(in_terminal: Terminal, tmp_path: Path) -> None:
    toy(tmp_path / "first", layers=2)
    toy(tmp_path / "second", layers=2)
    done = in_terminal("rank", "first", "second", "--no-report", "--format", "csv", piped=True)
    assert done.returncode == 0
    assert done.stdout.startswith("rank,model,")
    assert "\x1b" not in done.stdout
    assert "━" in done.drawn
    assert re.search(r"[012]/2 matrices .*49\.2 kB", done.drawn)
    assert "━" not in done.left
    assert done.screen.rindex("\x1b[?25h") > done.screen.rindex("\x1b[?25l"), "the cursor is shown again"
    for name in ("first", "second"):
        assert re.search(rf"{name}: 2 matrices, 49\.2 kB, \d+\.\d s", done.left)
    quiet = in_terminal("rank", "first", "--no-report", "-q", "--format", "csv", piped=True)
    assert re.fullmatch(r"first is alone in its family: .* Its alpha is \d\.\d+\.\n", quiet.left), "its answer"


def test_no_color_leaves_bars_and_takes_colours(in_terminal: Terminal, tmp_path: Path) -> None:
    toy(tmp_path / "model")
    colour = re.compile(r"\x1b\[(3[0-7]|9[0-7]|38|4[0-7])[;m]")
    assert colour.search(in_terminal("score", "model").screen)
    done = in_terminal("score", "model", NO_COLOR="1")
    assert not colour.search(done.screen)
    assert "━" in done.drawn


def test_a_dumb_terminal_gets_plain_lines(in_terminal: Terminal, tmp_path: Path) -> None:
    toy(tmp_path / "model")
    done = in_terminal("score", "model", TERM="dumb")
    assert "\x1b" not in done.screen
    assert "layers.0.fc1.weight" in done.left


@pytest.mark.parametrize("columns", [40, 80])
def test_tables_fit_the_terminal(in_terminal: Terminal, tmp_path: Path, columns: int) -> None:
    long = "averagely-long-organisation/model-name-7b-instruct"
    toy(tmp_path / long)
    toy(tmp_path / "short", seed=1)
    path = tmp_path / long
    commands = (["rank", path, "short", "--no-report", "-q"], ["score", path, "-q"], ["describe", path], ["models"])
    shown = []
    for command in commands:
        done = in_terminal(*command, columns=columns)
        assert done.returncode == 0, done.left
        assert max(map(len, done.left.splitlines())) <= columns, command
        assert "…" not in done.left, "nothing is cut"
        shown.append(done.left)
    ranking = [line.split() for line in shown[0].splitlines()]
    # A number of the odds under the table may begin a line too.
    assert {"1", "2"} <= {line[0] for line in ranking if line}
    verdicts = "ok|unstable|no-power-law|undecided"
    assert len(re.findall(rf"layers\.\d\.fc1\.weight .*\d\.\d+.* (?:{verdicts})", shown[1])) == 4


def test_an_explicit_width_is_kept(in_terminal: Terminal, tmp_path: Path) -> None:
    toy(tmp_path / "model")
    done = in_terminal("score", "model", "-q", columns=200, COLUMNS="40")
    assert max(map(len, done.left.splitlines())) <= 40
    assert "not shown at this width" in done.left


def test_a_failure_is_told_above_the_bars(in_terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    toy(tmp_path / "model")
    done = in_terminal("rank", "empty", "model", "--no-report")
    assert done.returncode == 3
    (line,) = [line for line in done.left.splitlines() if "wqscore: " in line]
    assert line.startswith("wqscore: empty: no weights")


@pytest.mark.parametrize(("columns", "encoding"), [(80, "utf-8"), (200, "utf-8"), (80, "ascii"), (40, "ascii")])
def test_a_ranking_shows_its_intervals_as_bars(
    in_terminal: Terminal, tmp_path: Path, columns: int, encoding: str
) -> None:
    for seed, name in enumerate(("first", "second")):
        toy(tmp_path / name, seed=seed, layers=7)
    done = in_terminal(
        "rank", "first", "second", "--no-report", "-q", columns=columns, PYTHONIOENCODING=encoding, NO_COLOR="1"
    )
    assert done.returncode == 0, done.left
    assert max(map(len, done.left.splitlines())) <= columns
    bar = r"├[─●]*●?[─●]*┤|●" if encoding == "utf-8" else r"\|[-o]*\|"
    assert len(re.findall(bar, done.left)) == 2
    assert encoding == "utf-8" or done.left.isascii()
    assert ("not shown at this width" in done.left) == (columns == 80)
    assert bool(re.search(r"^1  (first|second)$", done.left, re.MULTILINE)) == (columns == 40)


def test_a_score_names_what_to_look_at_first(in_terminal: Terminal, tmp_path: Path) -> None:
    toy(tmp_path / "model", **{"layers.9.fc1.weight": np.zeros((64, 64), "f4")})
    for columns in (40, 80, 200):
        done = in_terminal("score", "model", "-q", columns=columns)
        assert max(map(len, done.left.splitlines())) <= columns
        table = done.left.split("worth looking at first")[1]
        assert re.search(r"zero +layers\.9\.fc1", table)

"""`wqscore evidence`: the track record, and the user's own part of it."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from wqscore.cli import app
from wqscore.evidence.record import shipped_tables

Invoke = Callable[..., Result]
ADD = ("--y", "accuracy", "--kind", "recipe")


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Invoke:
    """The command in this process, with a user's folder of its own."""
    monkeypatch.setenv("WQSCORE_EVIDENCE", str(tmp_path / "own"))
    return lambda *arguments: CliRunner().invoke(app, ["evidence", *map(str, arguments)])


def document(names: list[str], alphas: list[float], family: str | None = "mine") -> dict[str, Any]:
    """A ranking.json, as far as it is read."""
    models = [
        {"model": name, "family_id": family, "params": 1000, "summary": {"alpha": {"median": alpha, "mean": alpha}}}
        for name, alpha in zip(names, alphas, strict=True)
    ]
    return {"preset": {"name": "default", "headline": "median"}, "models": models}


@pytest.fixture
def tables(tmp_path: Path) -> tuple[Path, Path]:
    """Ten models of which the one with the lower alpha is always the better one."""
    names = [f"m{number}" for number in range(10)]
    ranking, known = tmp_path / "ranking.json", tmp_path / "known.csv"
    ranking.write_text(json.dumps(document(names, [2 + number / 10 for number in range(10)])))
    known.write_text("model,accuracy\n" + "".join(f"{name},{90 - place}\n" for place, name in enumerate(names)))
    return ranking, known


def test_the_csv_is_one_row_for_each_metric_and_kind(invoke: Invoke) -> None:
    found = list(csv.DictReader(io.StringIO(invoke("--format", "csv").stdout)))
    assert len({(row["metric"], row["kind"]) for row in found}) == len(found) > 100
    one = list(csv.DictReader(io.StringIO(invoke("--format", "csv", "--metric", "alpha", "--kind", "size").stdout)))
    assert one == [row for row in found if (row["metric"], row["kind"]) == ("alpha", "size")]


def test_what_ships_as_learned_is_what_the_tables_teach(invoke: Invoke) -> None:
    arguments = ("--metric", "alpha", "--kind", "recipe", "--format", "csv")
    learned = invoke(*arguments).stdout
    # A table of one's own of another kind: the rest is computed from the tables, and stays.
    assert "informative" in learned
    own = Path(os.environ["WQSCORE_EVIDENCE"])
    own.mkdir()
    head = "source,family,model,kind,quality,quality_name,better,decision,alpha\n"
    (own / "t.csv").write_text(f"{head}t,f,a,recipe,1,q,higher,across,3\nt,g,b,recipe,2,q,higher,across,2\n")
    computed = invoke(*arguments).stdout
    for one, other in zip(csv.DictReader(io.StringIO(learned)), csv.DictReader(io.StringIO(computed)), strict=True):
        for column in one:
            if column in ("metric", "kind", "informative"):
                assert one[column] == other[column]
            else:
                assert float(one[column] or 0) == pytest.approx(float(other[column] or 0), abs=1e-9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--metric", "alfa"), "no metric called 'alfa'"),
        (("--kind", "recipes"), "no kind of decision 'recipes': did you mean recipe?"),
        (("--source", "osmr"), "no table 'osmr' in the record"),
    ],
)
def test_a_wrong_word_is_one_line(invoke: Invoke, arguments: tuple[str, ...], message: str) -> None:
    found = invoke(*arguments)
    assert found.exit_code == 2
    assert message in found.stderr
    assert len(found.stderr.splitlines()) == 1


def test_added_models_are_listed_used_and_removed(invoke: Invoke, tables: tuple[Path, Path]) -> None:
    assert invoke("add", *tables, *ADD).exit_code == 0
    assert "known  10 models, yours" in invoke("list").stdout
    found = invoke("--source", "known", "--metric", "alpha", "--kind", "recipe", "--format", "csv").stdout
    row = next(csv.DictReader(io.StringIO(found)))
    assert (row["families"], row["pairs"], row["agreement"]) == ("1", "45", "1.0")
    assert invoke("remove", "known").exit_code == 0
    assert "known" not in invoke("list").stdout
    gone = invoke("remove", "known")
    assert (gone.exit_code, len(gone.stderr.splitlines())) == (2, 1)


BAD: list[tuple[str, Callable[[Path, Path], object], tuple[str, ...], str]] = [
    ("one model", lambda r, k: k.write_text("model,accuracy\nm1,90\n"), ADD, "only one model"),
    ("no match", lambda r, k: k.write_text("model,accuracy\nx,90\ny,80\n"), ADD, "no model of the ranking"),
    ("constant", lambda r, k: k.write_text("model,accuracy\nm1,90\nm2,90\n"), ADD, "the same for all models"),
    ("a kind", lambda r, k: None, ("--y", "accuracy", "--kind", "luck"), "no kind of decision 'luck'"),
    ("twice", lambda r, k: k.write_text("model,accuracy\nm1,90\nm1,80\n"), ADD, "'m1' is in several rows"),
    ("not JSON", lambda r, k: r.write_text("{"), ADD, "not JSON"),
    ("no ranking", lambda r, k: r.write_text("[1]"), ADD, "not a ranking.json"),
    ("other JSON", lambda r, k: r.write_text('{"models": 3}'), ADD, "not a ranking.json"),
    ("a name", lambda r, k: None, (*ADD, "--name", "../x"), "can't name a table"),
    (
        "families",
        lambda r, k: r.write_text(json.dumps(document(["m1", "m2"], [2, 3], None))),
        ADD,
        "no two of the models share a family",
    ),
]


@pytest.mark.parametrize(("change", "options", "message"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_what_cannot_be_added_is_one_line_and_leaves_nothing(
    invoke: Invoke,
    tables: tuple[Path, Path],
    change: Callable[[Path, Path], object],
    options: tuple[str, ...],
    message: str,
) -> None:
    change(*tables)
    found = invoke("add", *tables, *options)
    assert found.exit_code == 2, found.output
    assert message in found.stderr
    assert len(found.stderr.splitlines()) == 1
    assert len(invoke("list").stdout.splitlines()) == len(shipped_tables())


KILLED = """
import os, signal, sys
from pathlib import Path
Path.replace = lambda self, target: os.kill(os.getpid(), signal.SIGKILL)
from wqscore.cli import app
app(sys.argv[1:])
"""


def test_a_kill_while_adding_leaves_what_was_there(invoke: Invoke, tables: tuple[Path, Path]) -> None:
    invoke("add", *tables, *ADD)
    before = invoke("list").stdout
    tables[1].write_text("model,accuracy\nm1,90\nm2,80\n")
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, "evidence", "add", *map(str, tables), *ADD], env=os.environ, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert invoke("list").stdout == before
    assert invoke("add", *tables, *ADD).exit_code == 0
    assert "known  2 models, yours" in invoke("list").stdout

"""`wqscore phase` on the published grid: the terminal, the files, and wrong usage."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from tests.studies.published import TAXONOMY

Invoke = Callable[..., Result]
OPTIONS = ("--size", "width", "--temperature", "batch_size", "--good", "test_acc")


def test_the_diagram_the_phases_and_the_size_alone_are_shown(invoke: Invoke) -> None:
    done = invoke("phase", TAXONOMY, *OPTIONS)
    assert (done.exit_code, done.stderr) == (0, "")
    assert "  16   II   II   II   II   II   II   II   II   II   II   II   II   II\n" in done.stdout
    assert "width alone has a Spearman correlation of +0.87 with test_acc" in done.stdout
    assert "not tested on your model" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 160


def test_out_writes_the_files_that_are_printed(invoke: Invoke, tmp_path: Path) -> None:
    done = invoke(
        "phase", TAXONOMY, *OPTIONS, "--map", "train_loss", "--out", "made", "--format", "csv", SOURCE_DATE_EPOCH="0"
    )
    assert done.exit_code == 0
    assert done.stderr == f"report: {Path('made') / 'index.html'}\n"
    assert (tmp_path / "made" / "phase.csv").read_text(encoding="utf-8") == done.stdout
    document = json.loads((tmp_path / "made" / "phase.json").read_text(encoding="utf-8"))
    assert document["created"] == "1970-01-01T00:00:00+00:00"
    quiet = invoke("phase", TAXONOMY, *OPTIONS, "--out", "made", "--quiet", "--map", "train_loss")
    assert (quiet.exit_code, quiet.stderr) == (0, "")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--sharp", "2"), "--sharp, --barrier and --similar go together"),
        (("--sharp", "2.5", "--barrier", "2", "--similar", "0.7"), ""),
        (("--thresholds", "median"), ""),
        (("--loss", "train_loss", "--trained", "0.01"), ""),
        (("--loss", "train_loss"), "--loss and --trained go together"),
        (("--map", "nothing"), "no column 'nothing'"),
    ],
)
def test_options_are_taken_or_refused_in_a_line(invoke: Invoke, options: tuple[str, ...], message: str) -> None:
    done = invoke("phase", TAXONOMY, *OPTIONS, *options, "--format", "json")
    assert done.exit_code == (2 if message else 0)
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == bool(message)

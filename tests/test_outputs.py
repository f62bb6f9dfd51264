"""The same files as are kept in tests/data/outputs of the same checkpoints, whatever is moved.

Only `rank` itself is used, so that these tests need no change when a module moves. What the bytes are compared with,
and when only the numbers are, says tests/data/outputs/README.md.
"""

from __future__ import annotations

import csv
import warnings
from io import StringIO
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.golden.kept import EPOCH, OUTPUTS, RANKS, copy_models, differences, kept_outputs, kept_texts, texts
from wqscore.cli import app


def files_of(name: str, folder: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What a rank writes when it is run in a folder."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", EPOCH)
    done = CliRunner().invoke(app, ["rank", *RANKS[name], "--no-store", "--quiet", "--out", str(out)])
    assert done.exit_code == 0, done.output
    return texts(out)


def check_same(name: str, found: dict[str, str]) -> None:
    kept, unlike = kept_outputs()
    if unlike:
        warnings.warn(f"compared in numbers, not in bytes: here is {unlike}", stacklevel=2)
    told = differences(kept_texts(kept / name), found, exactly=not unlike)
    assert not told, "\n".join([f"{len(told)} differences", *told[:20]])


def test_the_demo(checkpoints: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_same("demo", files_of("demo", checkpoints, tmp_path / "out", monkeypatch))


def test_one_checkpoint_of_each_format_with_every_metric(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy_models(tmp_path / "models")
    check_same("formats", files_of("formats", tmp_path / "models", tmp_path / "out", monkeypatch))


def test_the_outputs_of_two_kernels_differ_only_in_last_bits() -> None:
    first, second = sorted(OUTPUTS.glob("*/environment.json"))
    for name in RANKS:
        one, other = (kept_texts(file.parent / name) for file in (first, second))
        assert differences(one, other, exactly=True)
        assert differences(one, other, exactly=False) == []


@pytest.mark.parametrize("exactly", [True, False])
def test_a_changed_number_or_word_is_found(exactly: bool) -> None:
    kept = kept_texts(next(OUTPUTS.glob("*/demo")))
    header, first, *others = csv.reader(StringIO(kept["layers.csv"]))
    for place, column in enumerate(header):
        row = [*first[:place], moved(first[place]), *first[place + 1 :]]
        text = StringIO()
        csv.writer(text, lineterminator="\n").writerows([header, row, *others])
        (told,) = differences(kept, kept | {"layers.csv": text.getvalue()}, exactly)
        assert told.startswith(f"layers.csv: row 1 {column}: ")
    told = differences(kept, kept | {"layers.csv": kept["layers.csv"].replace("alpha_lo", "low", 1)}, exactly)
    assert told


def moved(cell: str) -> str:
    """Another number by a hundred-millionth, or another word."""
    try:
        number = float(cell)
    except ValueError:
        return f"{cell}x"
    return repr(number + 1e-8 * (abs(number) or 1))


@pytest.mark.parametrize("exactly", [True, False])
def test_a_change_of_the_document_is_found_but_not_who_wrote_it(exactly: bool) -> None:
    kept = kept_texts(next(OUTPUTS.glob("*/demo")))

    def changed(line: str, other: str) -> list[str]:
        assert line in kept["ranking.json"]
        text = kept["ranking.json"].replace(line, other, 1)
        return differences(kept, kept | {"ranking.json": text}, exactly)

    assert changed(' "seed": 0,', ' "seed": 1,')
    assert changed('"verdict": "ok"', '"verdict": "trap"')
    assert changed(' "seed": 0,', ' "seed": 0,\n "more": 0,')
    assert not changed(' "wqscore": "0.5.0",', ' "wqscore": "0.6.0",')
    assert not changed(' "schema_version": 6,', ' "schema_version": 7,')

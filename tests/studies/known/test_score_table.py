"""CSV files as tables, joined by model, and every way they can be wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from wqscore.errors import UsageError
from wqscore.studies.known.score_table import ScoreTable, join, read_table, single_table

Write = Callable[[str, bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_file(name: str, content: bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write_file


def table(columns: str, *rows: str, source: str = "a.csv") -> ScoreTable:
    return ScoreTable(source, tuple(columns.split(",")), tuple(tuple(row.split(",")) for row in rows))


def test_a_file_from_a_spreadsheet(write: Write) -> None:
    read = read_table(write("a.csv", '\ufeffmodel,alpha\r\n"a,b", 2.5\r\n\r\nc,\r\n'.encode()))
    assert read.columns == ("model", "alpha")
    assert read.words("model") == ["a,b", "c"]
    np.testing.assert_array_equal(read.numbers("alpha"), [2.5, np.nan])


@pytest.mark.parametrize("blank", ["", " ", "nan", "NaN", "N/A", "None", "-"])
def test_blanks_are_missing_numbers(blank: str) -> None:
    assert np.isnan(table("model,x", f"a,{blank}").numbers("x")).all()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "a header and a row per model are needed, it has 0 lines"),
        (b"model,alpha\n", "it has 1 lines"),
        (b"model,alpha,alpha\na,1,2\n", "column 'alpha' occurs twice"),
        (b"model,alpha\na,1\nb\n", "row 2 has 1 cells, the header 2"),
        (b"model,alpha\n\xff\xfe,1\n", "not a CSV file in UTF-8"),
        (b'model,alpha\n"' + b"a" * 200_000 + b'",1\n', "not a CSV file"),
    ],
)
def test_a_broken_file_is_one_line(write: Write, content: bytes, message: str) -> None:
    path = write("broken.csv", content)
    with pytest.raises(UsageError, match=message) as caught:
        read_table(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere.csv", tmp_path):
        with pytest.raises(UsageError, match="can't be read"):
            read_table(path)


@pytest.mark.parametrize("cell", ["bert", "12%", "inf", "-Infinity", "1e999"])
def test_what_is_no_number_is_told_with_its_row(cell: str) -> None:
    with pytest.raises(UsageError, match=rf"a.csv: column 'x' is not numbers: '{cell}' in row 2"):
        table("model,x", "a,1", f"b,{cell}").numbers("x")


def test_no_such_column_lists_those_there_are() -> None:
    with pytest.raises(UsageError, match=r"a\.csv: no column 'alpa'; it has model, alpha"):
        table("model,alpha", "a,1").numbers("alpa")


def test_rows_are_joined_by_name_in_the_scores_order() -> None:
    scores = table("model,alpha", "c,3", "a,1", "only-scored,9")
    known = table("model,accuracy", "a,10", "b,20", "c,30", source="b.csv")
    joined = join(scores, known, ["model"])
    np.testing.assert_array_equal(joined.scores.numbers("alpha"), [3, 1])
    np.testing.assert_array_equal(joined.known.numbers("accuracy"), [30, 10])
    assert (joined.only_in_scores, joined.only_in_known) == (("only-scored",), ("b",))


def test_several_columns_may_name_a_model() -> None:
    scores = table("width,seed,x", "1,0,5", "1,1,6")
    known = table("seed,width,y", "1,1,60", "0,1,50", source="b.csv")
    joined = join(scores, known, ["width", "seed"])
    np.testing.assert_array_equal(joined.known.numbers("y"), [50, 60])
    with pytest.raises(UsageError, match=r"a.csv: '1' is in 2 rows: name columns that identify a row with --key"):
        join(scores, known, ["width"])


def test_nothing_in_common_shows_both_sides() -> None:
    with pytest.raises(UsageError, match=r"no model is in both a.csv \(a\) and b.csv \(org/a\): .* --key"):
        join(table("model,x", "a,1"), table("model,y", "org/a,1", source="b.csv"), ["model"])


def test_what_a_ranking_gives_no_rank_is_left_out_by_name() -> None:
    scores = table("model,alpha,status", "a,1,ranked", "b,2,unranked", "c,,failed", "d,4,ranked")
    known = table("model,y", "a,1", "b,2", "c,3", "d,4", source="b.csv")
    joined = join(scores, known, ["model"])
    assert joined.without_rank == ("b", "c")
    np.testing.assert_array_equal(joined.known.numbers("y"), [1, 4])


def test_one_file_needs_no_names() -> None:
    joined = single_table(table("x,y,status", "1,2,ranked", "3,4,unranked"), ["model"])
    assert joined.without_rank == ("row 2",)
    assert joined.holding("x").words("x") == ["1"]

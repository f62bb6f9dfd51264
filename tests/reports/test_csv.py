"""Both CSV files through independent readers: whatever a name contains, and every number to the last bit."""

from __future__ import annotations

import csv
import io
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wqscore.matrices.weight_matrix import SkippedTensor
from wqscore.metrics.registry import CORE, METRICS
from wqscore.ranking.ranking import Ranking, rank_models
from wqscore.rendering.csv import csv_text
from wqscore.rendering.csv_escaping import unescape_formula
from wqscore.reports.csv import layers_csv

#: All that UTF-8 can hold but NUL, at which other readers stop.
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
CELLS = st.one_of(st.none(), NAMES, st.integers(), st.floats(allow_nan=False, allow_infinity=False))


def read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


@given(st.lists(st.lists(CELLS, min_size=3, max_size=3)))
def test_every_cell_comes_back(rows: list[list[str | int | float | None]]) -> None:
    header, *lines = read(csv_text(["a", "b", "c"], rows))
    assert header == ["a", "b", "c"]
    assert len(lines) == len(rows)
    for line, row in zip(lines, rows, strict=True):
        for shown, cell in zip(line, row, strict=True):
            if isinstance(cell, float):
                assert float(shown) == cell
            else:
                text = "" if cell is None else str(cell)
                assert shown in (text, f"'{text}")
                assert unescape_formula(shown) == text
                assert not re.match(r"[=+@\t\r\n]|-\D", shown)


@settings(max_examples=examples(40))
@given(st.lists(st.tuples(NAMES.filter(bool), st.floats(allow_nan=False, allow_infinity=False)), min_size=1))
def test_pandas_reads_the_same(rows: list[tuple[str, float]]) -> None:
    text = csv_text(["name", "number"], rows)
    frame = pd.read_csv(io.StringIO(text, newline=""), keep_default_na=False, dtype=str)
    assert list(zip(frame.name.map(unescape_formula), frame.number.map(float), strict=True)) == rows


@pytest.mark.parametrize("start", list("=+-@\t\r\n＝＋－＠"))
def test_a_name_is_no_formula(start: str) -> None:
    for text in (f"{start}cmd|' /C calc'!A0", f"'{start}x", f"{start}{start}"):
        ((header,), (cell,)) = read(csv_text([text], [[text]]))
        assert header == cell == f"'{text}"
        assert unescape_formula(cell) == text


def test_numbers_and_other_names_stay_as_they_are() -> None:
    cells = ["-0.5", "+1e-9", "-3", "layers.0", "'quoted", "a=b", "–"]
    assert read(csv_text(cells, [cells])) == [cells, cells]


def test_lines_end_as_on_unix_and_the_last_one_too() -> None:
    assert csv_text(["a", "b"], [["x", 1], ["y\r", None]]) == 'a,b\nx,1\n"y\r",\n'


def test_layers_csv_holds_the_scored_numbers(ranking: Ranking) -> None:
    header, *lines = read(layers_csv(ranking.scores))
    rows = [(score, row) for score in ranking.scores for row in score.rows]
    assert len(lines) == len(rows)
    for line, (score, row) in zip(lines, rows, strict=True):
        cells = dict(zip(header, line, strict=True))
        assert cells["model"] == score.ref.label
        if isinstance(row, SkippedTensor):
            assert (cells["name"], cells["verdict"], cells["reason"]) == (row.name, "skipped", row.reason)
            assert {cells[name] for name in CORE} == {""}
            continue
        assert [cells["name"], cells["role"], cells["verdict"]] == [row.matrix.name, row.matrix.role, row.verdict]
        assert cells["flags"].split(";") == list(row.flags or [""])
        for name, value in row.metrics.items():
            assert (float(cells[name]) if cells[name] else math.nan) == pytest.approx(
                value, rel=0, abs=0, nan_ok=True
            )
            assert not (METRICS[name].count and "." in cells[name]), "a count is whole"


def test_ranking_csv_has_a_line_for_every_model(ranking: Ranking) -> None:
    header, *lines = read(ranking.to_csv())
    rows = [dict(zip(header, line, strict=True)) for line in lines]
    assert [(row["model"], row["status"]) for row in rows] == [(m.ref.label, m.status) for m in ranking.models]
    assert [row["rank"] for row in rows] == ["1", "2", "3", "", ""]
    assert {row["revision"] for row in rows} == {"", "0123456789" * 4}
    assert rows[-1]["reason"] == "org/missing: no such model on the Hub"
    assert set(rows[-1].values()) - {"org/missing", "failed", rows[-1]["reason"]} == {""}


def test_names_that_would_break_out_are_quoted(hostile_ranking: Ranking, tmp_path: Path) -> None:
    # Through a file, and pandas' own idea of lines.
    file = tmp_path / "layers.csv"
    file.write_bytes(layers_csv(hostile_ranking.scores).encode())
    frame = pd.read_csv(file)
    names = [
        row.matrix.name if hasattr(row, "matrix") else row.name for s in hostile_ranking.scores for row in s.rows
    ]
    assert list(frame.name) == names


def test_frames_are_the_files(ranking: Ranking) -> None:
    for frame, text in (
        (ranking.to_frame(), ranking.to_csv()),
        (ranking.scores[0].to_frame(), ranking.scores[0].to_csv()),
    ):
        again = pd.read_csv(io.StringIO(text))
        assert list(frame.columns) == list(again.columns)
        numeric = list(again.select_dtypes("number").columns)
        assert "alpha" in numeric
        assert np.allclose(frame[numeric].astype(float), again[numeric].astype(float), rtol=1e-12, equal_nan=True)
        assert (frame.isna() == again.isna()).all(axis=None)


def test_an_infinity_or_nan_is_an_empty_cell(ranking: Ranking) -> None:
    score = ranking.scores[0]
    row = next(row for row in score.layers if row.fit)
    bad = replace(row, metrics={**row.metrics, "alpha": math.inf, "xmin": -math.inf, "D": math.nan})
    changed = replace(score, rows=(bad,))
    header, line = read(layers_csv([changed]))
    cells = dict(zip(header, line, strict=True))
    assert [cells["alpha"], cells["xmin"], cells["D"]] == ["", "", ""]
    assert read(rank_models([changed]).to_csv())[1][header.index("model")]

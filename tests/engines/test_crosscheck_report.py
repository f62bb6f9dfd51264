"""A crosscheck as text: the numbers side by side, then the differences in words."""

from __future__ import annotations

import csv
import json
from math import nan

import pytest

from wqscore.cli.output import show
from wqscore.engines.crosscheck import Crosscheck, CrosscheckRow, MatrixComparison, Unpaired
from wqscore.engines.crosscheck_report import (
    crosscheck_notes,
)
from wqscore.refs.reference import ModelRef

SAME = CrosscheckRow("stable_rank", 38.0625, 38.0625, 0.0)
CHECK = Crosscheck(
    ref=ModelRef("org/name", "hub", "org/name"),
    revision="a" * 40,
    version="0.7.7",
    matrices=(
        MatrixComparison("a.weight", (CrosscheckRow("alpha", 3.0, 3.0, 0.0), SAME), ""),
        MatrixComparison("b.weight", (CrosscheckRow("alpha", 3.00004, 3.0, 1.333e-5), SAME), ""),
        MatrixComparison(
            "c.weight", (CrosscheckRow("alpha", nan, 4.5, nan), SAME), "no eigenvalue leaves a tail to fit"
        ),
    ),
    unpaired=(
        *(Unpaired(f"{name}.weight", "wqscore", "WeightWatcher reads no 3-D tensors") for name in "defgh"),
        Unpaired("lm_head.weight", "weightwatcher", "skipped: tied to a.weight"),
    ),
    means=(CrosscheckRow("alpha", 3.00002, 2.375, 0.2083),),
    averaged=(2, 4),
    failed=("lm_head.weight",),
)
NOTES = [
    "1 of 3 matrices the same in all 2 columns, to 1e-06 relative",
    "b.weight differs: alpha 3.00004 | 3 (1e-05 apart)",
    "c.weight differs: alpha – | 4.5 (no eigenvalue leaves a tail to fit)",
    "WeightWatcher has no fit for lm_head.weight; its means count an alpha of −1 or infinity",
    "only wqscore scored d.weight, e.weight, f.weight and 2 more: WeightWatcher reads no 3-D tensors",
    "only WeightWatcher scored lm_head.weight: here skipped: tied to a.weight",
]


def test_differences_in_words() -> None:
    assert crosscheck_notes(CHECK) == NOTES


def test_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    show(CHECK, "table")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "org/name: wqscore | WeightWatcher 0.7.7"
    assert lines[1].split() == ["name", "alpha", "stable_rank", "verdict"]
    assert [line.split() for line in lines[3:6]] == [
        ["a.weight", "3", "|", "3", "38.06", "|", "38.06", "same"],
        ["b.weight", "3", "|", "3", "38.06", "|", "38.06", "differs"],
        ["c.weight", "–", "|", "4.5", "38.06", "|", "38.06", "differs"],
    ]
    assert lines[7] == "means over 2 matrices | 4"
    assert lines[10].split() == ["alpha", "3", "2.375", "0.2083", "differs"]
    assert lines[12:] == NOTES


def test_the_csv_has_a_row_per_matrix_and_column() -> None:
    rows = list(csv.DictReader(CHECK.to_csv().splitlines()))
    assert {row["model"] for row in rows} == {"org/name"}
    cells = [(r["name"], r["column"], r["wqscore"], r["weightwatcher"], r["difference"], r["verdict"]) for r in rows]
    assert cells == [
        ("a.weight", "alpha", "3.0", "3.0", "0.0", "same"),
        ("a.weight", "stable_rank", "38.0625", "38.0625", "0.0", "same"),
        ("b.weight", "alpha", "3.00004", "3.0", "1.333e-05", "differs"),
        ("b.weight", "stable_rank", "38.0625", "38.0625", "0.0", "same"),
        ("c.weight", "alpha", "", "4.5", "", "differs"),
        ("c.weight", "stable_rank", "38.0625", "38.0625", "0.0", "same"),
        *((f"{name}.weight", "", "", "", "", "only-wqscore") for name in "defgh"),
        ("lm_head.weight", "", "", "", "", "only-weightwatcher"),
        ("", "alpha_mean", "3.00002", "2.375", "0.2083", "differs"),
    ]
    assert rows[4]["reason"] == "no eigenvalue leaves a tail to fit"
    assert rows[-2]["reason"] == "skipped: tied to a.weight"


def test_the_json_has_everything_and_no_nan() -> None:
    document = json.loads(CHECK.to_json(), parse_constant=pytest.fail)
    assert (document["model"], document["revision"], document["weightwatcher"]) == ("org/name", "a" * 40, "0.7.7")
    assert (document["preset"], document["tolerance"]) == ("ww-0.7", 1e-6)
    assert [matrix["verdict"] for matrix in document["matrices"]] == ["same", "differs", "differs"]
    assert document["matrices"][2]["columns"]["alpha"] == {
        "wqscore": None, "weightwatcher": 4.5, "difference": None, "verdict": "differs",
    }  # fmt: skip
    assert document["unpaired"][-1] == {
        "name": "lm_head.weight", "scored_by": "weightwatcher", "reason": "skipped: tied to a.weight",
    }  # fmt: skip
    assert document["means"]["alpha"]["weightwatcher"] == 2.375
    assert document["averaged"] == {"wqscore": 2, "weightwatcher": 4}
    assert document["weightwatcher_failed"] == ["lm_head.weight"]


def test_the_markdown_keeps_the_bar_out_of_the_table_syntax() -> None:
    lines = CHECK.to_markdown().splitlines()
    assert r"| c.weight | – \| 4.5 | 38.06 \| 38.06 | differs |" in lines
    assert "| alpha | 3 | 2.375 | 0.2083 | differs |" in lines
    assert len([line for line in lines if line.startswith("- ")]) == len(NOTES)


def test_many_differences_are_cut_short_and_nothing_in_common_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    many = MatrixComparison("x.weight", (CrosscheckRow("alpha", 1.5, 3.0, 0.5),), "")
    crowd = Crosscheck(CHECK.ref, None, "0.7.7", (many,) * 14, (), (), (14, 14), ())
    assert len(crosscheck_notes(crowd)) == 12
    assert crosscheck_notes(crowd)[-1] == "4 more differ: --format csv has them"
    empty = Crosscheck(CHECK.ref, None, "0.7.7", (), (), (), (0, 0), ())
    show(empty, "table")
    assert capsys.readouterr().out == "no matrix was scored by both\n"
    assert empty.to_markdown().strip() == "- no matrix was scored by both"

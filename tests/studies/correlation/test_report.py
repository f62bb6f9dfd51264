"""Correlations as text: each figure with its n, and the warnings in words."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest

from wqscore.cli.output import show
from wqscore.ranking.rank_correlation import Coefficient, RankCorrelation
from wqscore.studies.correlation.correlate import Correlations, SignFlip
from wqscore.studies.correlation.granulated import AxisTau, Granulated
from wqscore.studies.correlation.notes import correlation_notes
from wqscore.studies.correlation.row import CorrelationRow, Partial
from wqscore.studies.known.score_table import Joined, ScoreTable


def found_row(
    x: str, group: str | None, n: int, tau: float, p: float, partial: Partial | None = None
) -> CorrelationRow:
    interval = (tau - 0.25, tau + 0.25) if n > 4 else None
    both = RankCorrelation(n, Coefficient(tau, p, interval), Coefficient(tau, p, interval), "permutation")
    return CorrelationRow(x, group, n, both, partial, -1 if x == "alpha" else None, "")


POOLED = found_row("alpha", None, 12, -0.5, 0.02, Partial(-0.25, None, 9))
REVERSED = found_row("alpha", "b", 4, 0.5, 0.3)
FOUND = Correlations(
    y="accuracy",
    better="higher",
    group="family",
    params="params",
    tried=("alpha",),
    rows=(
        found_row("params", None, 12, 0.75, 0.001),
        POOLED,
        found_row("alpha", "a", 6, -0.25, 0.04),
        REVERSED,
        CorrelationRow("alpha", "c|<b>", 1, None, None, -1, "fewer than 3 models"),
    ),
    granulated=(Granulated("alpha", (AxisTau("width", -0.5, 3, 12), AxisTau("depth", None, 0, 0))),),
    flips=(SignFlip(POOLED, (REVERSED,), 2),),
    joined=Joined(
        ScoreTable("s.csv", ("family",), (("a",),) * 11 + (("",),)),
        ScoreTable("k.csv", ("accuracy",), (("1",),) * 12),
        ("only-s",),
        tuple(f"k{i}" for i in range(7)),
        ("noise",),
    ),
    seed=3,
)
NOTES = [
    "warning: alpha changes sign (Simpson's paradox): tau -0.50 (n 12, p 0.02) over all, the other way in 1 of 2 "
    "groups by family, b +0.50 (n 4, p 0.3): trust the pooled figure in no group",
    "with 12 models no |tau| below 0.43 can be told from 0 (95 %)",
    "1 metric tried, 3 taus: about 0.15 of them would have p < 0.05 by chance alone; the smallest p, 0.02 (alpha, "
    "all, n 12), is 0.06 after Bonferroni",
    "params is the baseline: a metric that does no better adds nothing beyond model size",
    "p: two-sided, from all orders up to 8 models, else from 9,999 random ones, seed 3, and then never below 0.0001; "
    "p and intervals take models for independent draws, which models of one family are not",
    "no correlation for c|<b>: fewer than 3 models",
    "left out, not in k.csv: only-s",
    "left out, not in s.csv: k0, k1, k2, k3, k4 and 2 more",
    "left out, without a rank: noise",
    "1 model without family: in no group",
]


def test_the_notes_warn_first_and_leave_nobody_out() -> None:
    assert correlation_notes(FOUND) == NOTES


def test_too_few_for_an_interval_and_no_sizes_are_said() -> None:
    few = replace(FOUND, params=None, rows=(REVERSED,), flips=())
    notes = correlation_notes(few)
    assert notes[:2] == [
        "4 models are too few for an interval: these figures show next to nothing",
        "the number of parameters is not in the tables (--params): size may explain any of this",
    ]


def test_the_table_has_n_beside_every_figure(capsys: pytest.CaptureFixture[str]) -> None:
    show(FOUND, "table")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "against accuracy, higher is better · 12 models"
    rows = [line.split("  ") for line in lines]
    cells = [[cell.strip() for cell in row if cell.strip()] for row in rows]
    assert [
        "alpha", "all", "12", "-0.50", "0.02", "-0.75 to -0.25", "-0.50", "0.02", "-0.75 to -0.25", "-0.25 (n 9)",
        "–", "yes",
    ] in cells  # fmt: skip
    assert ["alpha", "b", "4", "0.50", "0.3", "–", "0.50", "0.3", "–", "–", "–", "unclear"] in cells
    assert ["alpha", "-0.5", "-0.5 (3, 12)", "– (0, 0)"] in cells
    assert lines[-len(NOTES) :] == NOTES


def test_csv_has_all_rows_and_empty_cells_for_what_is_not_there() -> None:
    rows = list(csv.DictReader(io.StringIO(FOUND.to_csv())))
    assert [(row["x"], row["scope"], row["group"], row["n"]) for row in rows] == [
        ("params", "pooled", "", "12"),
        ("alpha", "pooled", "", "12"),
        ("alpha", "group", "a", "6"),
        ("alpha", "group", "b", "4"),
        ("alpha", "group", "c|<b>", "1"),
        ("alpha", "axis", "width", "12"),
        ("alpha", "axis", "depth", "0"),
        ("alpha", "granulated", "", "12"),
    ]
    pooled = rows[1]
    assert (pooled["tau"], pooled["tau_lo"], pooled["tau_hi"], pooled["tau_p"]) == ("-0.5", "-0.75", "-0.25", "0.02")
    assert (pooled["partial_tau"], pooled["partial_rho"], pooled["partial_n"]) == ("-0.25", "", "9")
    assert (pooled["p_method"], pooled["as_claimed"]) == ("permutation", "yes")
    assert (rows[4]["tau"], rows[4]["rho_p"], rows[4]["reason"]) == ("", "", "fewer than 3 models")
    assert [row["tau"] for row in rows[5:]] == ["-0.5", "", "-0.5"]


def test_json_has_everything() -> None:
    document = json.loads(FOUND.to_json())
    assert (document["y"], document["better"], document["group"], document["models"]) == (
        "accuracy", "higher", "family", 12,
    )  # fmt: skip
    assert document["correlations"][1]["tau"] == -0.5
    assert document["correlations"][4]["tau"] is None
    assert document["granulated"][0]["axes"][1] == {"axis": "depth", "tau": None, "cells": 0, "n": 0}
    assert document["sign_flips"] == [{"x": "alpha", "flipped": ["b"], "groups": 2}]
    assert (document["only_in_scores"], document["without_rank"]) == (["only-s"], ["noise"])
    assert (len(document["only_in_known"]), document["notes"]) == (7, NOTES)


def test_markdown_escapes_names() -> None:
    hostile = replace(FOUND, rows=(found_row("a|<b>", "`x`", 9, 0.5, 0.2),), flips=(), granulated=())
    text = hostile.to_markdown()
    assert "| a\\|\\<b\\> | \\`x\\` | 9 | 0.50 |" in text
    assert "a|<b>" not in text
    assert FOUND.to_markdown().count("\n\n") == 2

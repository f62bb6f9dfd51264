"""Which matrices are worth checking: planted faults, in order of severity."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.small_models import bert, score_tensors
from wqscore.cli.output import show
from wqscore.ranking.ranking import Ranking
from wqscore.reports.worth_checking import worth_checking, worth_checking_rows

LAYER = "bert.encoder.layer"


def test_damage_comes_first_and_each_reason_is_given(tmp_path: Path) -> None:
    tensors = bert(0, layers=4)
    tensors[f"{LAYER}.0.attention.self.query.weight"][3, 5] = np.nan
    tensors[f"{LAYER}.1.attention.self.query.weight"][:] = 0
    tensors[f"{LAYER}.2.attention.self.query.weight"][7] = 0
    noise = np.random.default_rng(0).standard_normal((128, 64)).astype("f4")
    tensors[f"{LAYER}.3.intermediate.dense.weight"] = noise
    looks = worth_checking(score_tensors(tmp_path / "m", "m", tensors))
    reasons = {look.row.matrix.name: look.reasons for look in looks}
    names = [look.row.matrix.name.removeprefix(f"{LAYER}.") for look in looks]
    assert names[:3] == [f"{i}.attention.self.query.weight" for i in range(3)]
    assert names[3] == "3.intermediate.dense.weight"
    assert [reasons[f"{LAYER}.{name}"][0] for name in names[:4]] == ["non-finite", "zero", "zero-rows", "random"]
    for look in looks:
        alpha = look.row.fit.alpha if look.row.fit else None
        assert ("alpha below 2" in look.reasons) == (alpha is not None and alpha < 2)
        assert ("alpha above 6" in look.reasons) == (alpha is not None and alpha > 6)
        assert look.row.verdict == "ok" or look.row.verdict in look.reasons


def test_nothing_amiss_is_left_out(ranking: Ranking) -> None:
    for score in ranking.scores:
        shown = {look.row.matrix.name for look in worth_checking(score)}
        amiss = {row.matrix.name for row in score.layers if row.verdict not in ("ok", "too-small")}
        assert amiss <= shown
        assert len(worth_checking_rows(worth_checking(score))) == len(shown)


def test_the_table_says_how_many_more_there_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tensors = {f"layers.{i}.fc1.weight": np.zeros((64, 64), "f4") for i in range(11)}
    tensors["layers.11.fc1.weight"] = bert(0)["bert.pooler.dense.weight"]
    show(score_tensors(tmp_path / "m", "m", tensors), "table")
    lines = capsys.readouterr().out.splitlines()
    (title,) = [i for i, line in enumerate(lines) if line.startswith("worth looking at first")]
    assert lines[title].startswith("worth looking at first: 8 of 12 matrices, and ")
    assert [line.split()[:2] for line in lines[title + 3 : title + 11]] == [
        ["zero", f"layers.{i}.fc1.weight"] for i in range(8)
    ]

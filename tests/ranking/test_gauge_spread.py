"""Ties that are widened by how far a model's number moves by itself, and files that say nothing of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import wqscore
from tests.symmetries.made import QUICK, bert
from tests.symmetries.test_gauge import saved_bert
from wqscore.errors import UsageError
from wqscore.symmetries.sites import NAMES


def document(model: str) -> dict[str, Any]:
    """What `wqscore symmetry` writes of a model that nothing moves."""
    moved = {"log_norm": {"invariance": "moves", "spread": 0.0}}
    applying = [{"name": name, "applies": True, "metrics": moved} for name in NAMES]
    return {"model": model, "revision": None, "preset": "default", "headline": "median", "transformations": applying}


def test_ties_are_widened_by_the_spread(tmp_path: Path) -> None:
    other = {name: value * 1.05 if value.ndim == 2 else value for name, value in bert().items()}
    one, two = saved_bert(tmp_path / "a", bert()), saved_bert(tmp_path / "b", other)
    settings = {**QUICK, "metrics": "log_norm"}
    plain = wqscore.rank([one, two], by="log_norm", **settings)
    assert [pair.difference.tied for pair in plain.pairs] == [False]
    (tmp_path / "study").mkdir()
    study = document(one)
    file = tmp_path / "study" / "symmetry.json"

    def ranked(spread: float, name: str = "norm.mean", **changes: Any) -> wqscore.Ranking:
        for each in study["transformations"]:
            each["metrics"] = {"log_norm": {"spread": spread if each["name"] == name else None}}
        file.write_text(json.dumps(study))
        return wqscore.rank([one, two], by="log_norm", spread=[file.parent], **{**settings, **changes})

    narrow, wide = ranked(0.01), ranked(1.0)
    assert [pair.difference.tied for pair in (*narrow.pairs, *wide.pairs)] == [False, True]
    assert wide.pairs[0].difference.delta == 1.0
    assert "moves by up to 1 where its function doesn't" in wide.to_markdown()
    # What the balanced form undoes widens no tie of balanced scores.
    assert ranked(1.0, "attention.qk").pairs[0].difference.tied
    assert not ranked(1.0, "attention.qk", gauge="balanced").pairs[0].difference.tied
    with pytest.raises(UsageError, match="was made with another preset or revision"):
        ranked(1.0, preset="ww-0.7")
    study["model"] = "else"
    with pytest.raises(UsageError, match=r"symmetry.json: is of else, which is not among the models"):
        ranked(1.0)
    file.write_text("{}")
    with pytest.raises(UsageError, match=r"is no symmetry.json of wqscore symmetry"):
        wqscore.rank([one, two], by="log_norm", spread=[file], **settings)
    with pytest.raises(UsageError, match="can't be read"):
        wqscore.rank([one, two], by="log_norm", spread=[tmp_path / "nowhere"], **settings)

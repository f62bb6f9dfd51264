"""A model role by role, against NumPy over the rows."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np

from wqscore.presets.registry import DEFAULT
from wqscore.ranking.ranking import Ranking
from wqscore.scoring.role_summary import summarise_roles


def test_roles_are_counted_and_have_the_median_of_their_fits(ranking: Ranking) -> None:
    for score in ranking.scores:
        found = {each.role: each for each in summarise_roles(score.layers, score.metrics, score.preset)}
        assert list(found) == list(dict.fromkeys(row.matrix.role for row in score.layers))
        for role, each in found.items():
            rows = [row for row in score.layers if row.matrix.role == role]
            alphas = [row.fit.alpha for row in rows if row.fit]
            assert (each.n_matrices, each.n_fitted) == (len(rows), len(alphas))
            assert each.n_ok == sum(row.verdict == "ok" for row in rows)
            assert each.counted is DEFAULT.matrices.averages(role)
            assert each.medians.get("alpha") == (np.median(alphas) if alphas else None)
            assert not alphas or (each.lowest["alpha"], each.highest["alpha"]) == (min(alphas), max(alphas))


def test_every_format_has_them(ranking: Ranking) -> None:
    score = max(ranking.scores, key=lambda each: len({row.matrix.role for row in each.layers}))
    roles = json.loads(score.to_json())["roles"]
    assert {each["role"]: each["n_matrices"] for each in roles} == {
        each.role: each.n_matrices for each in summarise_roles(score.layers, score.metrics, score.preset)
    }
    assert "over the matrices of each role" in score._repr_html_()
    assert f"| {roles[-1]['role']} | " in score.to_markdown().replace("(", "").replace(")", "")
    assert "each role" not in replace(score, rows=score.layers[:1]).to_markdown()

"""The page of a comparison: complete, harmless, and one of any size."""

from __future__ import annotations

import numpy as np

from tests.reports.html.parsed import Page
from tests.small_models import HOSTILE, LONG
from tests.studies.kin.made import family
from wqscore.studies.kin.kin import kin
from wqscore.studies.kin.report import tree_lines

MADE = family(0, layers=1)


def test_it_has_the_tree_the_map_and_the_pairs() -> None:
    found = kin({"base": MADE["base"], "tuned": MADE["tuned-1"], "other": family(1, layers=1)["base"]}, jobs=1)
    page = found.to_html()
    assert "<svg" in page
    assert "└─ tuned  0.99" in page
    assert "2 of 3 models share weights, in 1 family" in page
    assert page.count("<td>unrelated") == 2
    assert "<script" not in page


def test_hostile_names_stay_text() -> None:
    found = kin({HOSTILE: MADE["base"], LONG: MADE["tuned-1"], "x": MADE["tuned-2"]}, jobs=1)
    page = Page(found.to_html())
    assert not any(tag == "script" for tag, _ in page.elements)
    assert "alert(1)</script" not in found.to_html()
    assert all(len(line) <= 100 for line in tree_lines(found, 100))


def test_many_models_have_no_map_and_a_cut_table() -> None:
    rng = np.random.default_rng(0)
    models = {
        f"m{at}": {f"layers.{i}.fc1.weight": rng.standard_normal((6, 5)).astype("f4") for i in range(3)}
        for at in range(45)
    }
    found = kin(models, jobs=1)
    assert "<svg" not in found.to_html()
    assert "20 of 990 pairs" in found.to_html()
    assert len(found.pairs) == 990

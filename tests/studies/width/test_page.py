"""The page of a width: complete in itself, with the answer, the chart and every figure that a person is shown."""

from __future__ import annotations

import numpy as np

import wqscore
from tests.reports.html.parsed import Page
from tests.small_models import HOSTILE
from tests.studies.width.embedded import drawn, widened


def model(name: str = "layers") -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    tensors: dict[str, np.ndarray] = {}
    for layer in range(2):
        block = widened(rng, drawn(rng, 12, 8, 8, bias=False), 2)
        tensors |= {f"{name}.{layer}.fc1.weight": block.into, f"{name}.{layer}.fc2.weight": block.out}
    return tensors


def test_the_page_has_the_answer_the_chart_and_the_table() -> None:
    found = wqscore.width(model(), activation="gelu")
    page = Page(found.to_html())
    assert "at a tolerance of 1e-06, 24 of its 48 neurons in 2 blocks do what all do." in page.text
    (table,) = page.tables
    assert table.body[0][:4] == ["layers.0", "gelu", "24", "0"]
    assert table.body[-1][0] == "all 2"
    kinds = [kind for kind, _ in page.elements]
    assert kinds.count("svg") == 1
    assert "script" not in kinds
    assert not any(attributes.get("src") or attributes.get("href") for _, attributes in page.elements)


def test_hostile_names_stay_text() -> None:
    page = Page(wqscore.width(model(HOSTILE.replace("/", "")), activation="gelu").to_html())
    assert "script" not in [kind for kind, _ in page.elements]
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)


def test_without_a_block_there_is_the_reason_and_no_chart() -> None:
    page = Page(wqscore.width(model()).to_html())
    assert "the configuration names no activation" in page.text
    assert not page.tables

"""The course of a metric over the steps of a run, and its turning point, of models with given values."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.ranking.valued_models import model, named
from wqscore.ranking.ranking import Ranking, rank_models
from wqscore.ranking.steps import Trend
from wqscore.refs.reference import ModelRef
from wqscore.rendering.markdown import escape
from wqscore.reports.html.steps_chart import steps_sections
from wqscore.results import render
from wqscore.scoring.model_score import Failure

_BASE = np.random.default_rng(1).normal(0, 0.4, 40)


def run(values: dict[int, float], shifted: float = 0.3, failed: int | None = None) -> Ranking:
    """A run whose checkpoints have the same layers, each moved by nearly the same."""
    scores = []
    for place, (step, value) in enumerate(values.items()):
        rng = np.random.default_rng(place)
        spread = _BASE - np.median(_BASE) + (rng.normal(0, shifted, 40) if shifted else 0)
        found = model(named(spread - np.median(spread) + value), metric="alpha")
        label = f"runs/checkpoint-{step}"
        scores.append(replace(found, ref=ModelRef(label, "folder", path=Path(label)), declared_family="f"))
    failures = []
    if failed is not None:
        label = f"runs/checkpoint-{failed}"
        failures = [Failure(ModelRef(label, "folder", path=Path(label)), f"{label}: cut short")]
    return rank_models(scores, metrics=("alpha",), failures=failures)


def trend(values: dict[int, float], **options: float) -> Trend:
    (found,) = run(values, **options).trends  # type: ignore[arg-type]
    return found


def test_alpha_that_falls_and_rises_turns() -> None:
    found = trend({100: 4.0, 200: 3.0, 300: 2.0, 400: 3.0, 500: 4.0}, shifted=0.05)
    assert (found.course, found.steps[found.best]) == ("turns", 300)
    assert found.text == "alpha falls until step 300 (2.00) and rises after it"
    assert found.document()["turning_point"] == {"step": 300, "between": [300, 300]}


def test_steps_that_can_not_be_told_from_the_lowest_are_named() -> None:
    found = trend({1: 4.0, 2: 2.02, 3: 2.0, 4: 2.01, 5: 4.0})
    assert (found.course, found.first, found.last) == ("turns", 1, 3)
    assert found.text.endswith("; steps 2 to 4 can't be told from it")


@pytest.mark.parametrize(
    ("values", "course", "words"),
    [
        ({1: 4.0, 2: 3.0, 3: 2.0}, "levels", "alpha still falls at the last step, 3 (2.00): no turning point"),
        ({1: 4.0, 2: 2.01, 3: 2.0, 4: 2.01}, "levels", "falls until step 2; no later step differs beyond doubt"),
        ({1: 2.0, 2: 3.0, 3: 4.0}, "worsens", "no earlier step is worse beyond doubt: no turning point"),
        ({1: 2.02, 2: 2.0, 3: 2.01}, "flat", "but no step differs from it beyond doubt: no turning point"),
    ],
)
def test_without_evidence_there_is_no_turning_point(values: dict[int, float], course: str, words: str) -> None:
    found = trend(values)
    assert found.course == course
    assert words in found.text
    assert found.document()["turning_point"] is None


def test_steps_are_ordered_by_number_and_ranks_by_alpha() -> None:
    ranking = run({1000: 3.0, 200: 4.0, 30: 5.0})
    assert ranking.trends[0].steps == (30, 200, 1000)
    frame = ranking.to_frame()
    assert list(frame["step"]) == [1000, 200, 30]
    assert [each["step"] for each in json.loads(ranking.to_json())["models"]] == [1000, 200, 30]


def test_a_failed_checkpoint_keeps_its_step_and_is_no_point() -> None:
    ranking = run({1: 4.0, 2: 3.0}, failed=3)
    assert (ranking.trends[0].steps, ranking.trends[0].unranked) == ((1, 2), (3,))
    assert ranking.trends[0].text.endswith("; without a rank: step 3")
    assert list(ranking.to_frame()["step"]) == [2, 1, 3]


def test_other_rankings_have_no_such_column_and_no_trend() -> None:
    ranking = rank_models([replace(model(named(_BASE), metric="alpha"), declared_family="f")], metrics=("alpha",))
    assert "step" not in ranking.to_frame().columns
    document = json.loads(ranking.to_json())
    assert "trends" not in document
    assert "step" not in document["models"][0]


def test_every_format_has_the_sentence() -> None:
    ranking = run({1: 4.0, 4: 2.0, 2: 4.0})
    text = ranking.trends[0].text
    for shown in (render(ranking, "table"), ranking._repr_html_()):
        assert text in str(shown).replace("&#39;", "'")
    assert escape(text) in ranking.to_markdown()
    (section,) = steps_sections(ranking)
    assert section.trend.text == text
    assert section.chart.startswith("<svg")
    assert [row[0] for row in section.rows] == ["1", "2", "4"]
    assert json.loads(ranking.to_json())["trends"][0]["text"] == text


@given(st.lists(st.floats(1.5, 8.0), min_size=2, max_size=8, unique_by=lambda value: round(value, 3)))
@settings(max_examples=examples(10), deadline=None)
def test_the_best_step_is_that_of_the_lowest_number(values: list[float]) -> None:
    found = trend({10 * place: value for place, value in enumerate(values)})
    assert found.best == int(np.argmin(values))
    assert found.first <= found.best <= found.last
    np.testing.assert_allclose(found.values, values)

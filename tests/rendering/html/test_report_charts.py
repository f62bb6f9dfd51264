"""Charts are valid Vega-Lite by Altair's copy of its schema, and nobody who changes one changes another."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import altair as alt
import pytest
from jsonschema import Draft7Validator

from wqscore.rendering.html import charts, figures
from wqscore.rendering.html.palette import MARKS, ROLE_MARKS
from wqscore.reports.html import comparison_charts
from wqscore.studies.correlation import charts as correlation_charts
from wqscore.studies.kin.charts import cosine_map
from wqscore.studies.phase import charts as phase_charts
from wqscore.studies.screen.page import by_depth
from wqscore.studies.track.condensed_chart import widths_over_steps
from wqscore.studies.width.page import widths

ROLES = list(ROLE_MARKS)
MODELS = [f"model {place}" for place in range(8)]
AXES = ("size", "temperature", ["1", "2"], ["0.1", "1"])
CHARTS: dict[str, Callable[[], dict[str, Any]]] = {
    "alpha by depth": lambda: charts.alpha_by_depth(ROLES),
    "alpha by depth without roles": lambda: charts.alpha_by_depth([]),
    "spectrum": charts.spectrum,
    "distance": charts.distance,
    "exponent": charts.exponent,
    "by size": comparison_charts.by_size,
    "by depth": comparison_charts.by_depth,
    "differences": lambda: comparison_charts.differences(ROLES),
    "spectrum with a legend": lambda: figures.spectrum(charts.spectrum(), ["density", "tail", "shuffled"]),
    "grid of spectra": lambda: figures.spectra_grid(figures.spectrum(charts.spectrum(), ["density"]), ["a"], 2, 9, 9),
    "depth of roles": lambda: figures.depth_of_roles("alpha", ROLES, band=True),
    "depth of models": lambda: figures.depth_of_models("norm", MODELS, band=False),
    "panels of roles": lambda: figures.role_panels("alpha", ROLES, MODELS, True, 2, 200),
    "intervals": lambda: figures.intervals("alpha", {"one": MODELS, "other": MODELS[:1]}, band=True),
    "over steps": lambda: figures.over_steps("alpha", "step", band=True),
    "scatter": lambda: correlation_charts.scatter("alpha", "accuracy", log=False),
    "scatter on a log axis": lambda: correlation_charts.scatter("norm", "accuracy", log=True),
    "taus": lambda: correlation_charts.taus_over_groups(["alpha", "norm"], list(MARKS)),
    "diagram": lambda: phase_charts.diagram(*AXES),
    "heat map": lambda: phase_charts.heat_map(*AXES),
    "cosines of pairs": lambda: cosine_map(["1 a", "2 b"]),
    "widths": lambda: widths(["0.1", "0.2"], ["1 a", "2 b"]),
    "widths over steps": lambda: widths_over_steps([0, 10], "step", "loss"),
    "z-scores by depth": lambda: by_depth("kurtosis"),
}


@pytest.fixture(scope="module")
def schema() -> Draft7Validator:
    """Vega-Lite's own, as Altair ships it."""
    return Draft7Validator(alt.load_schema())


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_is_valid_vega_lite(schema: Draft7Validator, name: str) -> None:
    schema.validate(as_json(CHARTS[name]()))


@pytest.mark.parametrize(
    "spoilt",
    [
        charts.spectrum() | {"layer": [{"mark": {"type": "point", "colour": "red"}}]},
        charts.spectrum() | {"layer": [{"mark": "point", "encoding": {"x": {"field": "a", "type": "number"}}}]},
        charts.spectrum() | {"config": {"axis": {"color": "red"}}},
    ],
)
def test_the_schema_refuses_what_vega_lite_does_not_have(schema: Draft7Validator, spoilt: dict[str, Any]) -> None:
    assert not schema.is_valid(as_json(spoilt))


def as_json(spec: dict[str, Any]) -> Any:
    return json.loads(json.dumps(spec))


@pytest.mark.parametrize("name", CHARTS)
def test_whoever_changes_a_chart_changes_no_other(name: str) -> None:
    first = CHARTS[name]()
    expected = json.dumps(first)
    spoil(first)
    assert json.dumps(CHARTS[name]()) == expected


def spoil(part: Any) -> None:
    """Empty a chart from the inside out."""
    if isinstance(part, dict | list):
        for each in list(part.values() if isinstance(part, dict) else part):
            spoil(each)
        part.clear()


def test_other_roles_have_another_legend() -> None:
    assert charts.alpha_by_depth(ROLES[:2]) != charts.alpha_by_depth(ROLES[:1])
    assert charts.alpha_by_depth(ROLES[:2]) == charts.alpha_by_depth(tuple(ROLES[:2]))

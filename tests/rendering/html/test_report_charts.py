"""A chart is put together once, and whoever changes one that was handed out changes no other."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from wqscore.rendering.html import charts
from wqscore.rendering.html.palette import ROLE_MARKS
from wqscore.reports.html import comparison_charts

ROLES = list(ROLE_MARKS)[:2]
CHARTS: list[tuple[Callable[..., dict[str, Any]], list[list[str]]]] = [
    (charts.alpha_by_depth, [ROLES]),
    (charts.spectrum, []),
    (charts.distance, []),
    (charts.exponent, []),
    (comparison_charts.by_size, []),
    (comparison_charts.by_depth, []),
    (comparison_charts.differences, [ROLES]),
]


@pytest.mark.parametrize(("chart", "arguments"), CHARTS, ids=lambda each: getattr(each, "__name__", ""))
def test_a_chart_is_what_its_function_makes_every_time(
    chart: Callable[..., dict[str, Any]], arguments: list[list[str]]
) -> None:
    expected = json.dumps(chart.__wrapped__(*arguments))  # type: ignore[attr-defined]
    first = chart(*arguments)
    assert json.dumps(first) == expected
    first["layer"].clear()
    first["config"].clear()
    assert json.dumps(chart(*arguments)) == expected


def test_other_roles_have_another_legend() -> None:
    assert charts.alpha_by_depth(ROLES) != charts.alpha_by_depth(ROLES[:1])
    assert charts.alpha_by_depth(roles=ROLES) == charts.alpha_by_depth(tuple(ROLES))

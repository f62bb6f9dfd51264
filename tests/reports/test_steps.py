"""The drawing of a metric over steps: every checkpoint's mark is at its value, and it fits the terminal."""

from __future__ import annotations

from tests.ranking.test_steps import trend
from wqscore.reports.steps import draw_trend


def test_a_mark_for_each_checkpoint_higher_for_a_higher_value() -> None:
    values = {250: 6.0, 500: 4.0, 750: 2.0, 1000: 3.0}
    *canvas, floor, steps = draw_trend(trend(values), 80)
    rows = {column: number for number, line in enumerate(canvas) for column in _columns(line, "●")}
    assert sorted(rows) == _columns(floor, "┬")
    at = [rows[column] for column in sorted(rows)]
    assert at[0] < at[1] < at[3] < at[2]
    assert steps.split() == ["250", "500", "750", "1000"]


def test_the_interval_is_a_line_through_the_mark() -> None:
    found = trend({1: 3.0, 2: 2.0})
    canvas = draw_trend(found, 60)[:-2]
    for column in {column for line in canvas for column in _columns(line, "●")}:
        drawn = [number for number, line in enumerate(canvas) if line[column : column + 1] in ("│", "●")]
        assert drawn == list(range(drawn[0], drawn[-1] + 1))


def test_many_checkpoints_fit_and_the_best_is_among_them() -> None:
    found = trend({10 * step: 2.0 + abs(step - 17) / 20 for step in range(40)})
    for width in (20, 30, 40, 80, 100):
        lines = draw_trend(found, width)
        assert max(map(len, lines)) <= width
        assert {"0", "390"} <= set(lines[-1].split())
        assert "170" in lines[-1].split() or width < 30


def _columns(line: str, character: str) -> list[int]:
    return [column for column, found in enumerate(line) if found == character]

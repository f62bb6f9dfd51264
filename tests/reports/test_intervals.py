"""Bars of characters: read back, they are the intervals to within one character."""

from __future__ import annotations

import io
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rounding import expected, expected_ends
from wqscore.cli.output import show
from wqscore.fits.interval import Interval
from wqscore.ranking.ranking import Ranking
from wqscore.ranking.short_names import short_names
from wqscore.reports.intervals import Mark, bar, extent, has_intervals, interval_text, marks_of
from wqscore.reports.narrow import narrow_ranking

VALUES = st.floats(-100, 100)
LINES, ASCII = ("├", "─", "┤", "●"), ("|", "-", "|", "o")


def widest(ranking: Ranking) -> float:
    return max(model.interval.hi - model.interval.lo for model in ranking.models if model.interval)


@given(st.lists(st.tuples(VALUES, VALUES, VALUES), min_size=1), st.integers(2, 40))
def test_a_bar_read_back_is_the_interval(ends: list[tuple[float, ...]], width: int) -> None:
    marks = [Mark(value, Interval(lo, hi)) for lo, value, hi in map(sorted, ends)]
    low, high = extent(marks)
    assert low == min(map(min, ends)) and high == max(map(max, ends))
    for each in marks:
        drawn = bar(each, (low, high), width)
        assert len(drawn) == width
        step = (high - low) / (width - 1)
        start, end = len(drawn) - len(drawn.lstrip()), len(drawn.rstrip()) - 1
        if high - low > 1e-6:
            assert low + start * step == pytest.approx(each.interval.lo, abs=0.51 * step)
            assert low + end * step == pytest.approx(each.interval.hi, abs=0.51 * step)
            assert low + drawn.index(LINES[3]) * step == pytest.approx(each.value, abs=0.51 * step)


def test_the_bars_and_the_words_are_the_interval_of_the_summary(ranking: Ranking) -> None:
    for model, mark in zip(ranking.models, marks_of(ranking), strict=True):
        known = model.score.summary.statistics["alpha"] if model.score else None
        assert (mark.interval if mark else None) == (known.interval if known else None) == model.interval
        if mark and known:
            assert mark.value == known.median
            assert interval_text(model, ranking) == expected_ends(*mark.interval, widest(ranking))


def test_a_sum_and_a_bound_have_no_interval(ranking: Ranking) -> None:
    assert has_intervals(ranking)
    for change in ({"summed": True}, {"summarised": False}):
        other = replace(ranking, by=replace(ranking.by, **change))
        assert not has_intervals(other)
        assert interval_text(ranking.models[0], other) == "–"


def test_ascii_where_the_encoding_has_no_lines(ranking: Ranking, monkeypatch: pytest.MonkeyPatch) -> None:
    for encoding, marks in (("ascii", ASCII), ("utf-8", LINES)):
        stream = io.TextIOWrapper(io.BytesIO(), encoding)
        monkeypatch.setattr(sys, "stdout", stream)
        show(ranking, "table")
        stream.flush()
        text = stream.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]
        rows = [line for line in text.splitlines() if "models/zero" in line]
        assert marks[3] in rows[0] and marks[1] in rows[0]
        assert "?" not in text


def test_a_narrow_list_has_every_model_its_numbers_and_its_reason(ranking: Ranking) -> None:
    lines = narrow_ranking(ranking, 40)
    heads = [line.split() for line in lines if line[:1] not in (" ", "")][3:]
    names = short_names([m.ref for m in ranking.models])
    assert heads == [[str(m.rank or "–"), name] for m, name in zip(ranking.models, names, strict=True)]
    facts = "\n".join(lines)
    for model in ranking.models:
        if model.score:
            median = model.score.summary.statistics["alpha"].median
            assert f"alpha {expected(median, widest(ranking))}" in facts
    assert lines[-2].strip() == "failed"

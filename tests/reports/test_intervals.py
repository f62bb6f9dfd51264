"""Bars of characters: read back, they are the intervals to within one character."""

from __future__ import annotations

import io
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wqscore.cli.output import show
from wqscore.ranking.ranking import Ranking
from wqscore.reports.intervals import Interval, bar, extent, interval_of
from wqscore.reports.narrow import narrow_ranking

VALUES = st.floats(-100, 100)
LINES, ASCII = ("├", "─", "┤", "●"), ("|", "-", "|", "o")


@given(st.lists(st.tuples(VALUES, VALUES, VALUES), min_size=1), st.integers(2, 40))
def test_a_bar_read_back_is_the_interval(ends: list[tuple[float, ...]], width: int) -> None:
    intervals = [Interval(*sorted(each)) for each in ends]
    low, high = extent(intervals)
    assert low == min(map(min, ends)) and high == max(map(max, ends))
    for each in intervals:
        drawn = bar(each, (low, high), width)
        assert len(drawn) == width
        step = (high - low) / (width - 1)
        start, end = len(drawn) - len(drawn.lstrip()), len(drawn.rstrip()) - 1
        if high - low > 1e-6:
            assert low + start * step == pytest.approx(each.lo, abs=0.51 * step)
            assert low + end * step == pytest.approx(each.hi, abs=0.51 * step)
            assert low + drawn.index(LINES[3]) * step == pytest.approx(each.value, abs=0.51 * step)


def test_the_interval_is_that_of_a_bootstrap_within_roles(ranking: Ranking) -> None:
    score = ranking.scores[0]
    found = interval_of(score, ranking)
    assert found is not None
    groups: dict[str, list[tuple[float, float]]] = {}
    for row in score.layers:
        if row.fit and row.matrix.role != "embedding":
            spread = (row.metrics["alpha_hi"] - row.metrics["alpha_lo"]) / (2 * 1.96)
            groups.setdefault(row.matrix.role, []).append((row.fit.alpha, spread))
    rng = np.random.default_rng(1)
    draws = []
    for _ in range(4000):
        drawn = [members[i] for members in groups.values() for i in rng.integers(len(members), size=len(members))]
        draws.append(np.median([rng.normal(*each) for each in drawn]))
    assert (found.lo, found.hi) == pytest.approx(tuple(np.quantile(draws, [0.025, 0.975])), abs=0.1)
    assert found.value == score.summary.statistics["alpha"].median


def test_a_sum_has_no_interval(ranking: Ranking) -> None:
    summed = replace(ranking, by=replace(ranking.by, summed=True))
    assert interval_of(ranking.scores[0], summed) is None


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
    heads = [line.split() for line in lines if line[:1] not in (" ", "")][2:]
    assert heads == [[str(m.rank or "–"), m.ref.label] for m in ranking.models]
    facts = "\n".join(lines)
    for model in ranking.models:
        if model.score:
            assert f"alpha {model.score.summary.statistics['alpha'].median:.4g}" in facts
    assert lines[-2].strip() == "failed"

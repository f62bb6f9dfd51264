"""Holm's correction, compared with his procedure step by step."""

from __future__ import annotations

from math import nan

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wqscore.ranking.holm import holm


@settings(max_examples=examples(300))
@given(st.lists(st.floats(0, 1), max_size=8), st.floats(0.001, 0.999))
def test_what_is_rejected_is_what_the_steps_reject(values: list[float], level: float) -> None:
    """Smallest first, each held to the level over how many are left, until one fails."""
    rejected = set()
    for step, place in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        if values[place] * (len(values) - step) > level:
            break
        rejected.add(place)
    assert {place for place, value in enumerate(holm(values)) if value <= level} == rejected


def test_what_is_not_known_counts_as_a_pair() -> None:
    assert holm([0.02, nan, nan]) == [0.06, 1, 1]
    assert holm([]) == []

"""Plateaus of a figure: every interval that moves little, and no other."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wqscore.studies.track.plateaus import STILL, plateaus


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({}, []),
        ({3: 1.0}, []),
        ({1: 2.0, 5: 2.0, 9: 2.0}, [(1, 9)]),
        ({0: 100.0, 1: 98.0, 2: 96.0, 3: 0.0}, [(0, 2)]),
        ({0: 100.0, 1: 97.9, 2: 0.0}, []),
        ({30: 0.0, 0: 10.0, 10: 10.0, 20: 0.1}, [(0, 10), (20, 30)]),
        # A jump is no plateau, up or down, nor joins two.
        ({0: -5.0, 1: -5.0, 2: 5.0, 3: 5.0}, [(0, 1), (2, 3)]),
    ],
)
def test_plateaus_of_known_courses(values: dict[int, float], found: list[tuple[int, int]]) -> None:
    assert plateaus(values) == found


@given(st.dictionaries(st.integers(0, 1000), st.sampled_from([0.0, 0.01, 0.5, 0.51, 1.0, -3.0]), max_size=12))
@settings(max_examples=examples(100))
def test_an_interval_is_on_one_plateau_or_moves(values: dict[int, float]) -> None:
    found = plateaus(values)
    assert found == sorted(found) and all(one[1] < two[0] for one, two in pairwise(found))
    span = max(values.values(), default=0) - min(values.values(), default=0)
    for before, after in pairwise(sorted(values)):
        inside = [first <= before and after <= last for first, last in found]
        assert sum(inside) == (abs(values[before] - values[after]) <= STILL * span)

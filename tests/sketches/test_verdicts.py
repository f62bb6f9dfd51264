"""The verdicts, at their limits."""

from __future__ import annotations

from dataclasses import replace
from math import nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wqscore.sketches.verdicts import Evidence, judge

PLAIN = Evidence(
    is_same=False,
    cosine=0.01,
    n_matrices=10,
    n_exact=0,
    n_moved=0,
    n_shapes=10,
    distance=0.03,
    directions=0.2,
    n_directions=10,
    unread=0,
)
NONE = {"n_matrices": 0, "n_shapes": 0, "cosine": nan, "distance": nan}


@pytest.mark.parametrize(
    ("change", "verdict", "words"),
    [
        ({"is_same": True, "cosine": 1.0, "n_exact": 10}, "same", "every matrix is equal"),
        ({"is_same": True, "cosine": 1.0, "n_exact": 10, "unread": 1}, "related", "every matrix that both have"),
        ({"cosine": 0.51}, "related", "above chance"),
        ({"cosine": 0.9, "n_exact": 4}, "related", "4 of 10 matrices are equal"),
        ({"cosine": 0.9, "n_moved": 4}, "related", "4 found under other names"),
        ({"cosine": 0.5}, "undecided", "between 0.15 and 0.5"),
        ({"cosine": 0.15}, "undecided", "between"),
        ({"cosine": 0.149}, "unrelated", "chance"),
        ({"cosine": -0.149}, "unrelated", "chance"),
        ({"cosine": -0.5}, "undecided", "below 0"),
        ({"cosine": 0.99, "n_matrices": 3}, "related", "above chance"),
        ({"cosine": 0.99, "n_matrices": 2, "n_shapes": 2}, "undecided", "only 2 matrices"),
        ({"cosine": nan}, "undecided", "zero or not finite"),
        ({"distance": 1e-6}, "undecided", "equal spectra, other weights"),
        ({"distance": 1.1e-6}, "unrelated", "chance"),
        ({"n_exact": 3}, "undecided", "3 of 10 matrices are equal, the others not alike"),
        ({"n_moved": 3}, "undecided", "under other names"),
        (NONE, "unrelated", "no matrices of one shape"),
        ({**NONE, "directions": 0.9, "n_directions": 3}, "undecided", "the leading directions of 3 agree"),
        ({**NONE, "directions": 0.9, "n_directions": 2}, "unrelated", "no matrices of one shape"),
        ({**NONE, "directions": nan, "n_directions": 0}, "unrelated", "no matrices of one shape"),
        ({**NONE, "n_shapes": 2}, "undecided", "2 matrices of one shape, but of other names and roles"),
    ],
)
def test_a_verdict(change: dict[str, object], verdict: str, words: str) -> None:
    found = judge(replace(PLAIN, **change))
    assert found[0] == verdict
    assert words in found[1]


@given(
    st.builds(
        Evidence,
        is_same=st.booleans(),
        cosine=st.floats(-1, 1) | st.just(nan),
        n_matrices=st.integers(0, 9),
        n_exact=st.integers(0, 9),
        n_moved=st.integers(0, 9),
        n_shapes=st.integers(0, 9),
        distance=st.floats(0, 1) | st.just(nan),
        directions=st.floats(0, 1) | st.just(nan),
        n_directions=st.integers(0, 9),
        unread=st.integers(0, 1),
    )
)
def test_whatever_was_found_has_one_verdict_with_a_reason(found: Evidence) -> None:
    verdict, reason = judge(found)
    assert verdict in ("same", "related", "unrelated", "undecided")
    assert reason
    if verdict == "related":
        assert found.cosine > 0.5 and found.n_matrices >= 3
    if verdict == "unrelated":
        assert not abs(found.cosine) >= 0.15

"""Numbers beside their interval, to as many decimals as its width deserves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rounding import expected, expected_ends
from wqscore.fits.interval import Interval
from wqscore.rendering.numbers import beside, ends


@pytest.mark.parametrize(
    ("value", "lo", "hi", "shown"),
    [
        (3.678, 3.1, 4.601, "3.68 (3.10 to 4.60)"),
        (2.2387, 2.211, 2.303, "2.239 (2.211 to 2.303)"),
        (183.25, 170.3, 190.12, "183.2 (170.3 to 190.1)"),
        (0.0001234, 0.00012, 0.00013, "0.0001234 (0.00012 to 0.00013)"),
        (-0.0923, -0.2, 0.0176, "-0.09 (-0.20 to 0.02)"),
    ],
)
def test_a_number_and_the_ends_of_its_interval_are_rounded_alike(
    value: float, lo: float, hi: float, shown: str
) -> None:
    assert f"{beside(value, Interval(lo, hi))} ({ends(Interval(lo, hi))})" == shown


@given(st.tuples(*[st.floats(-99, 99)] * 3).map(sorted))
def test_the_ends_never_close_on_the_number_that_they_hold(numbers: list[float]) -> None:
    lo, value, hi = numbers
    shown = [float(text) for text in (*ends(Interval(lo, hi)).split(" to "), beside(value, Interval(lo, hi)))]
    assert shown[0] <= shown[2] <= shown[1]
    assert ends(Interval(lo, hi)) == expected_ends(lo, hi)
    assert beside(value, Interval(lo, hi)) == expected(value, hi - lo)

"""A range of times: both ends rounded up, in one unit, wider with more random work."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.planning.test_work import matrix
from wqscore.fits.sampling import USUAL, Sampling
from wqscore.planning.describe_report import work_counted
from wqscore.planning.estimate import duration_range, seconds_range
from wqscore.planning.work import Speed
from wqscore.presets.registry import DEFAULT

SPEED = Speed(gram=4e10, solving=2e10, memory=1.6e10, entries=1.5e8)
UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0}


@given(st.floats(0, 1e6), st.floats(1, 6))
def test_ranges_are_rounded_up_and_hold_their_ends(least: float, times: float) -> None:
    shown = duration_range(least, least * times)
    match = re.fullmatch(r"(?:([\d.]+) to )?([\d.]+) (s|min|h)", shown)
    assert match, shown
    low, high = (float(match[group] or match[2]) * UNITS[match[3]] for group in (1, 2))
    step = {"s": 1.0, "min": 60.0, "h": 360.0}[match[3]]
    assert least <= low * (1 + 1e-6) <= least + step + 1e-3 * least + 0.1
    assert least * times <= high * (1 + 1e-6)


@pytest.mark.parametrize(
    ("least", "most", "shown"),
    [(0.41, 1.32, "0.5 to 1.4 s"), (3, 30, "3 to 30 s"), (100, 200, "2 to 4 min"), (7200, 7201, "2.0 to 2.1 h")],
)
def test_times_for_people(least: float, most: float, shown: str) -> None:
    assert duration_range(least, most) == shown


def test_resampling_and_goodness_of_fit_are_counted() -> None:
    def estimate(sampling: Sampling) -> tuple[float, float]:
        return seconds_range([matrix(256, 256)] * 10, DEFAULT, sampling, SPEED)

    none = estimate(Sampling(bootstrap=0, gof=0))
    with_fit, full = estimate(Sampling(bootstrap=0)), estimate(USUAL)
    assert none[0] < with_fit[0] < full[0]
    assert none[1] < with_fit[1] < full[1]
    assert all(least < most for least, most in (none, with_fit, full))


def test_what_is_left_out_is_said() -> None:
    assert work_counted(USUAL) == "with intervals and goodness of fit"
    assert work_counted(Sampling(bootstrap=0)) == "without the interval"
    assert work_counted(Sampling(bootstrap=0, gof=0)) == "without the interval and the goodness of fit"

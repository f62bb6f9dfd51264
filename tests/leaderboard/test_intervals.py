"""The interval of a median beside SciPy's quantile test, and how often it holds the median of a known law."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from wqscore.leaderboard.intervals import median_interval


@pytest.mark.parametrize("count", [6, 7, 9, 12, 25, 72, 73, 400])
def test_it_is_the_narrowest_symmetric_one_that_covers_95_percent(count: int) -> None:
    lo, hi = median_interval(range(count)) or (0, 0)
    assert lo + hi == count - 1
    # The median lies between the order statistics lo and hi unless so few of the values are below it, or above.
    assert 1 - 2 * binom.cdf(lo, count, 0.5) >= 0.95
    assert 1 - 2 * binom.cdf(lo + 1, count, 0.5) < 0.95


def test_it_holds_the_median_of_a_skewed_law_in_95_percent_of_samples() -> None:
    rng = np.random.default_rng(0)
    samples = rng.exponential(size=(4000, 40))
    held = [lo <= np.log(2) <= hi for sample in samples for lo, hi in [median_interval(sample.tolist()) or (0, 0)]]
    assert 0.95 - 3 * (0.95 * 0.05 / 4000) ** 0.5 <= np.mean(held) <= 0.975


def test_few_values_have_none() -> None:
    assert all(median_interval(range(count)) is None for count in range(6))

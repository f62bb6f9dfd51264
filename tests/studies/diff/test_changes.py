"""The paired change of a metric, against a bootstrap and sign flips done here."""

from __future__ import annotations

from itertools import product
from math import isnan, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wqscore.studies.diff.changes import metric_change

VALUES = [0.3, -0.1, 0.7, 0.2, 0.9, 0.4, 0.05, 0.6]


def test_the_p_value_is_the_share_of_sign_flips_as_one_sided() -> None:
    ranks = np.argsort(np.argsort(np.abs(VALUES))) + 1
    observed = abs((ranks * np.sign(VALUES)).sum())
    flips = [abs((ranks * signs).sum()) >= observed for signs in product([-1, 1], repeat=len(VALUES))]
    assert metric_change("alpha", VALUES, "median", 0).p == pytest.approx(np.mean(flips))


@pytest.mark.parametrize(("headline", "statistic"), [("median", np.median), ("mean", np.mean)])
def test_the_interval_is_the_percentiles_of_pairs_drawn_again(headline, statistic) -> None:
    found = metric_change("alpha", VALUES, headline, 0)
    rng = np.random.default_rng(99)
    drawn = statistic(rng.choice(VALUES, (20_000, len(VALUES))), axis=1)
    assert found.change == statistic(VALUES)
    assert np.allclose([found.low, found.high], np.percentile(drawn, [2.5, 97.5]), atol=0.06)
    assert found == metric_change("alpha", VALUES, headline, 0)


@settings(max_examples=examples(100))
@given(st.lists(st.floats(-1e6, 1e6) | st.just(nan), max_size=12), st.integers(0, 3))
def test_there_is_an_interval_exactly_from_six_pairs_on(values: list[float], seed: int) -> None:
    found = metric_change("alpha", values, "median", seed)
    count = sum(not isnan(value) for value in values)
    assert found.pairs == count
    assert isnan(found.low) == isnan(found.high) == isnan(found.p) == (count < 6)
    assert isnan(found.change) == (count == 0)

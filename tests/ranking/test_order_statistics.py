"""Order statistics of very many sums, compared with a sorted list of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wqscore.ranking import order_statistics
from wqscore.ranking.order_statistics import inner_differences, inner_means

_VALUES = st.lists(st.floats(-1e6, 1e6).map(lambda value: round(value, 1)), min_size=1, max_size=12)


def means(values: np.ndarray) -> np.ndarray:
    return np.sort(((values[:, None] + values) / 2)[np.triu_indices(values.size)])


@pytest.mark.parametrize("listed", [0, 100_000])
@settings(max_examples=examples(200))
@given(first=_VALUES, second=_VALUES, third=_VALUES, share=st.floats(0, 1))
def test_both_ways_find_what_a_sorted_list_has(
    listed: int, first: list[float], second: list[float], third: list[float], share: float
) -> None:
    a, b, c = (np.sort(np.array(values)) for values in (first, second, third))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(order_statistics, "_LISTED", listed)
        expected = means(a)
        out = round(share * ((expected.size - 1) // 2))
        assert inner_means(a, out) == pytest.approx((expected[out], expected[-1 - out]), rel=1e-12, abs=1e-6)
        expected = np.sort(np.concatenate([np.subtract.outer(a, b).ravel(), np.subtract.outer(c, b).ravel()]))
        out = round(share * ((expected.size - 1) // 2))
        found = inner_differences([(a, b), (c, b)], out)
        assert found == pytest.approx((expected[out], expected[-1 - out]), rel=1e-12, abs=1e-6)


def test_a_million_sums_are_not_listed() -> None:
    rng = np.random.default_rng(0)
    a, b = np.sort(rng.standard_cauchy(1200)), np.sort(rng.standard_cauchy(900))
    expected = np.sort(np.subtract.outer(a, b).ravel())
    for out in (0, 77, 500_000):
        assert inner_differences([(a, b)], out) == pytest.approx((expected[out], expected[-1 - out]), rel=1e-9)
    expected = means(a)
    for out in (0, 77, 360_000):
        assert inner_means(a, out) == pytest.approx((expected[out], expected[-1 - out]), rel=1e-9)

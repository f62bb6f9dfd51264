"""Tests and intervals of a shift, compared with scipy's and with every flip and exchange counted."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu, rankdata, wilcoxon

from tests.examples import examples
from wqscore.ranking.shifts import paired_shift, unpaired_shift


def two_sided(law: np.ndarray, observed: float) -> float:
    return min(1.0, 2 * min((law <= observed + 1e-9).mean(), (law >= observed - 1e-9).mean()))


@pytest.mark.parametrize("count", [1, 5, 6, 7, 20, 60, 100, 101, 400])
def test_pairs_have_the_p_value_of_wilcoxons_test(count: int) -> None:
    differences = np.random.default_rng(count).normal(0.2, 1, count)
    method = "exact" if count <= 100 else "asymptotic"
    expected = wilcoxon(differences, method=method, correction=True).pvalue
    assert paired_shift(differences).p == pytest.approx(expected, rel=1e-9)


@settings(max_examples=examples(200))
@given(st.lists(st.integers(-3, 4), min_size=1, max_size=9))
def test_pairs_with_ties_and_zeros_have_the_share_of_all_sign_flips(values: list[int]) -> None:
    differences = np.array(values, float)
    left = differences[differences != 0]
    ranks = rankdata(np.abs(left)) if left.size else np.zeros(0)
    flips = np.array([ranks[list(signs)].sum() for signs in product([False, True], repeat=left.size)])
    assert paired_shift(differences).p == pytest.approx(two_sided(flips, ranks[left > 0].sum()))


@pytest.mark.parametrize(("first", "second"), [(1, 1), (3, 4), (8, 12), (12, 8), (31, 32), (1, 900), (60, 50)])
def test_one_role_has_the_p_value_of_mann_and_whitney(first: int, second: int) -> None:
    rng = np.random.default_rng(first)
    one, other = rng.normal(0.5, 1, first), rng.normal(0, 1, second)
    method = "exact" if first * second <= 1000 else "asymptotic"
    assert unpaired_shift([(one, other)]).p == pytest.approx(mannwhitneyu(one, other, method=method).pvalue, rel=1e-9)


_FEW = st.lists(st.integers(0, 5), min_size=1, max_size=4)


@settings(max_examples=examples(200))
@given(st.lists(st.tuples(_FEW, _FEW), min_size=1, max_size=3))
def test_roles_have_the_share_of_all_exchanges_within_them(roles: list[tuple[list[int], list[int]]]) -> None:
    law, observed = np.zeros(1), 0.0
    for one, other in roles:
        ranks = rankdata(one + other)
        sums = np.array([ranks[list(chosen)].sum() for chosen in combinations(range(ranks.size), len(one))])
        law, observed = np.add.outer(law, sums).ravel(), observed + ranks[: len(one)].sum()
    strata = [(np.array(one, float), np.array(other, float)) for one, other in roles]
    assert unpaired_shift(strata).p == pytest.approx(two_sided(law, observed))


@settings(max_examples=examples(200))
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.booleans())
def test_an_interval_holds_the_shifts_that_the_test_does_not_reject(seed: int, count: int, paired: bool) -> None:
    """Just inside its ends the test says that what is left may be chance, just outside that it isn't."""
    rng = np.random.default_rng(seed)
    one, other = rng.normal(1, 1, count), rng.normal(0, 1, count if paired else 7)

    def shifted(by: float) -> float:
        return (paired_shift(one - other - by) if paired else unpaired_shift([(one - by, other)])).p

    found = paired_shift(one - other) if paired else unpaired_shift([(one, other)])
    if np.isnan(found.lo):
        assert shifted(1e6) > 0.05
        return
    for end, inwards in ((found.lo, 1e-9), (found.hi, -1e-9)):
        assert shifted(end + inwards) > 0.05
        assert shifted(end - inwards) <= 0.05


@pytest.mark.parametrize("count", [3, 6, 12, 36])
@pytest.mark.parametrize("paired", [True, False])
def test_of_equal_laws_one_in_twenty_is_told_apart(count: int, paired: bool) -> None:
    rng = np.random.default_rng(count)
    few = 0
    for _ in range(400):
        first, second = rng.standard_t(2, (2, count, 2))
        pair = (
            paired_shift((first - second).ravel())
            if paired
            else unpaired_shift([*zip(first.T, second.T, strict=True)])
        )
        few += pair.p <= 0.05
    assert few <= 33  # 5 % of 400, three standard deviations


def test_nothing_to_compare_is_not_known() -> None:
    for found in (paired_shift(np.zeros(0)), unpaired_shift([])):
        assert np.isnan([found.lo, found.hi, found.p]).all()
    assert paired_shift(np.zeros(40)).p == 1

"""tau-b, rho, their p-values and intervals against scipy, enumeration in exact arithmetic, and published examples."""

from __future__ import annotations

from fractions import Fraction
from itertools import permutations
from math import asin, pi, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tests.examples import examples
from wqscore.ranking.rank_correlation import (
    PERMUTATIONS,
    kendall_tau_b,
    least_telling_tau,
    p_values,
    partial_correlation,
    rank_correlation,
    rho_interval,
    spearman,
    tau_interval,
)

Pairs = list[tuple[float, float]]

#: Few values, and so many ties; and many, and so few.
tied = st.integers(-2, 2).map(float)
free = st.floats(-1e6, 1e6)


def pairs(most: int, least: int = 2) -> st.SearchStrategy[Pairs]:
    return st.one_of(st.lists(st.tuples(values, values), min_size=least, max_size=most) for values in (tied, free))


def columns(of: Pairs) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.array(of, dtype=float).T
    return x, y


@given(pairs(40))
def test_both_are_scipys_whatever_the_ties(of: Pairs) -> None:
    x, y = columns(of)
    if np.unique(x).size == 1 or np.unique(y).size == 1:
        assert kendall_tau_b(x, y) is None
        assert spearman(x, y) is None
        assert rank_correlation(x, y, 0) is None
        return
    assert kendall_tau_b(x, y) == pytest.approx(stats.kendalltau(x, y).statistic, abs=1e-12)
    assert spearman(x, y) == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)


@settings(max_examples=examples(25))
@given(st.permutations(range(8)))
def test_exact_p_of_tau_is_scipys_without_ties(order: list[int]) -> None:
    x, y = np.arange(8.0), np.array(order, dtype=float)
    assert p_values(x, y, 0)[0] == pytest.approx(stats.kendalltau(x, y, method="exact").pvalue, rel=1e-12)


@given(pairs(6, least=3))
def test_exact_p_counts_every_order(of: Pairs) -> None:
    """scipy enumerates too, from the coefficient in floating point; here it is counted in fractions."""
    x, y = columns(of)
    signs = [np.sign(np.subtract.outer(values, values)).astype(int) for values in (x, y)]
    ranks = [[Fraction(int(2 * rank), 2) for rank in stats.rankdata(values)] for values in (x, y)]
    middle = Fraction(len(of) + 1, 2)
    orders = list(permutations(range(len(of))))
    agreement = [int((signs[0] * signs[1][np.ix_(order, order)]).sum()) for order in orders]
    products = [
        sum((a - middle) * (ranks[1][i] - middle) for a, i in zip(ranks[0], order, strict=True)) for order in orders
    ]
    expected = [sum(abs(value) >= abs(seen[0]) for value in seen) / len(orders) for seen in (agreement, products)]
    assert p_values(x, y, 0) == pytest.approx(expected, rel=1e-12)


def test_five_models_in_perfect_order_have_p_one_in_sixty() -> None:
    found = rank_correlation(np.arange(5.0), -np.arange(5.0), 0)
    assert found is not None
    assert (found.tau.value, found.rho.value, found.p_method) == (-1.0, -1.0, "exact")
    assert found.tau.p == found.rho.p == pytest.approx(2 / 120)
    assert found.tau.interval is None
    assert found.rho.interval is None


@pytest.mark.parametrize("seed", range(5))
def test_random_orders_give_the_exact_p_within_their_error(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(12)
    y = 0.3 * x + rng.standard_normal(12)
    exact = stats.kendalltau(x, y, method="exact").pvalue
    found = rank_correlation(x, y, seed)
    assert found is not None
    assert found.p_method == "permutation"
    assert found.tau.p == pytest.approx(exact, abs=5 * sqrt(exact * (1 - exact) / PERMUTATIONS) + 1e-4)
    # Spearman's, by Student's t, is within 0.01 at this size.
    assert found.rho.p == pytest.approx(stats.spearmanr(x, y).pvalue, abs=0.02)


def test_p_from_random_orders_is_never_zero_and_the_seed_decides_it() -> None:
    x = np.arange(20.0)
    assert p_values(x, x, 3) == (1e-4, 1e-4)
    y = np.random.default_rng(0).permutation(x)
    assert p_values(x, y, 3) == p_values(x, y, 3)
    assert p_values(x, y, 3) != p_values(x, y, 4)


@given(pairs(12, least=9), st.randoms(use_true_random=False))
def test_coefficients_depend_on_no_order_and_no_monotone_scale(of: Pairs, random: object) -> None:
    x, y = columns(of)
    shuffled = columns(random.sample(of, len(of)))  # type: ignore[attr-defined]
    for measure in (kendall_tau_b, spearman):
        value = measure(x, y)
        assert measure(*shuffled) == value
        assert measure(y, x) == value
        assert measure(x * 4, y * 2) == value
        assert measure(x, -y) == (None if value is None else -value)


def test_intervals_are_those_of_another_package() -> None:
    """The examples in the manual of R's statpsych (ci.kendalltau and ci.spear), by Bonett himself."""
    assert tau_interval(0.734, 40) == pytest.approx((0.6178, 0.8188), abs=5e-5)
    x = [67, 28, 30, 28, 52, 40, 25, 37, 44, 10, 14, 20, 28, 40, 51]
    y = [21, 4, 9, 12, 35, 18, 10, 22, 24, 1, 6, 8, 13, 16, 19]
    rho = spearman(np.array(x), np.array(y))
    assert rho == pytest.approx(0.8699639, abs=5e-8)
    assert rho_interval(rho, 15) == pytest.approx((0.5840951, 0.9638297), abs=5e-8)


def test_no_interval_is_made_up() -> None:
    for interval in (tau_interval, rho_interval):
        assert interval(0.5, 4) is None
        assert interval(1.0, 30) is None
        assert interval(0.5, 5) is not None
    assert least_telling_tau(4) is None


@pytest.mark.parametrize("n", [5, 11, 100])
def test_the_least_telling_tau_has_an_interval_that_begins_at_zero(n: int) -> None:
    least = least_telling_tau(n)
    assert least is not None
    interval = tau_interval(least, n)
    assert interval is not None
    assert interval[0] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("correlation", "n"), [(0.0, 8), (0.4, 11), (0.7, 20)])
def test_intervals_hold_the_truth_of_a_normal(correlation: float, n: int) -> None:
    """tau = 2/π·asin r and rho = 6/π·asin(r/2) of a bivariate normal; at small n rho's is a little nearer 0."""
    rng = np.random.default_rng(n)
    truths = 2 / pi * asin(correlation), 6 / pi * asin(correlation / 2)
    held = np.zeros(2)
    for _ in range(1000):
        x, noise = rng.standard_normal((2, n))
        y = correlation * x + sqrt(1 - correlation**2) * noise
        tau, rho = kendall_tau_b(x, y), spearman(x, y)
        assert tau is not None
        assert rho is not None
        for place, interval in enumerate((tau_interval(tau, n), rho_interval(rho, n))):
            held[place] += interval is None or interval[0] <= truths[place] <= interval[1]
    assert (held / 1000 >= 0.91).all()
    assert (held / 1000 <= 0.99).all()


def test_partial_correlation_is_that_of_residuals() -> None:
    rng = np.random.default_rng(0)
    z = rng.standard_normal(50)
    x, y = z + rng.standard_normal(50), 2 * z + rng.standard_normal(50)
    ranks = [stats.rankdata(values) for values in (x, y, z)]
    residuals = [r - np.polyval(np.polyfit(ranks[2], r, 1), ranks[2]) for r in ranks[:2]]
    found = partial_correlation(*(stats.spearmanr(*pair).statistic for pair in ((x, y), (x, z), (y, z))))
    assert found == pytest.approx(np.corrcoef(*residuals)[0, 1], abs=1e-12)
    assert partial_correlation(0.5, 1.0, 0.5) is None

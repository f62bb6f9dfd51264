"""The maps against the published formulas, written down here again, and the sums that a plan keeps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wqscore.errors import UsageError
from wqscore.studies.allocate.formulas import (
    evenly,
    learning_rates,
    power_shares,
    sparsities,
    weight_decays,
    whole_shares,
)
from wqscore.studies.allocate.unfreeze import choose_matrices

METRIC = np.array([3.1, 2.2, 2.8, 4.9, 3.3, 6.0, 2.0])
PARAMS = np.array([100.0, 100.0, 400.0, 50.0, 100.0, 30.0, 100.0])
_BLOCKS = st.integers(1, 12).flatmap(
    lambda count: st.tuples(
        st.lists(st.floats(1.05, 20), min_size=count, max_size=count),
        st.lists(st.integers(1, 10**9), min_size=count, max_size=count),
    )
)


def alphapruning(metric: np.ndarray, params: np.ndarray, sparsity: float, epsilon: float) -> np.ndarray:
    """As the published code has it: scores on [s1, s2], times one factor that makes the whole right."""
    s1, s2 = 1.0 - epsilon, 1.0 + epsilon
    scores = (metric - metric.min()) / (metric.max() - metric.min()) * (s2 - s1) + s1
    factor = sparsity * params.sum() / (params * scores).sum()
    return np.asarray(scores * factor)


def test_sparsity_is_alphaprunings() -> None:
    for sparsity, epsilon in ((0.5, 0.3), (0.7, 0.15), (0.1, 0.0)):
        ours = sparsities(METRIC, PARAMS, sparsity, epsilon, 0.0, 1.0)
        np.testing.assert_allclose(ours, alphapruning(METRIC, PARAMS, sparsity, epsilon), rtol=0, atol=1e-12)
        assert ours @ PARAMS == pytest.approx(sparsity * PARAMS.sum(), rel=1e-14)


@given(_BLOCKS, st.floats(0.05, 0.97), st.floats(0, 0.9), st.floats(0.0, 0.9))
@settings(max_examples=examples(150))
def test_after_clipping_the_sum_is_exact_and_only_one_factor_is_left(
    blocks: tuple[list[float], list[int]], total: float, epsilon: float, least_of: float
) -> None:
    metric, params = np.array(blocks[0]), np.array(blocks[1], dtype=float)
    least, most = least_of * total, 0.98
    x = np.ones(metric.size)
    if np.ptp(metric) > 0:
        x = 1 - epsilon + 2 * epsilon * (metric - metric.min()) / (metric.max() - metric.min())
    plan = sparsities(metric, params, total, epsilon, least, most)
    assert plan @ params == pytest.approx(total * params.sum(), rel=1e-12)
    assert (plan >= least - 1e-15).all() and (plan <= most + 1e-15).all()
    free = (plan > least + 1e-9) & (plan < most - 1e-9)
    factors = plan[free] / x[free]
    if factors.size:
        assert np.ptp(factors) <= 1e-9 * factors.max()
        # Who sits at a limit would be beyond it with that factor.
        assert (x[plan >= most - 1e-9] * factors[0] >= most - 1e-6).all()
        assert (x[plan <= least + 1e-9] * factors[0] <= least + 1e-6).all()


def test_clipping_fixes_what_exceeds_and_rescales_the_rest() -> None:
    """The rule in so many words: fix, rescale, repeat."""
    plan = sparsities(METRIC, PARAMS, 0.8, 0.6, 0.0, 0.9)
    x = alphapruning(METRIC, np.ones(7), 1.0, 0.6)
    fixed = np.zeros(7, dtype=bool)
    while True:
        left = 0.8 * PARAMS.sum() - 0.9 * PARAMS[fixed].sum()
        expected = np.where(fixed, 0.9, x * left / (PARAMS[~fixed] @ x[~fixed]))
        if not (over := ~fixed & (expected > 0.9)).any():
            break
        fixed |= over
    assert fixed.sum() >= 2
    np.testing.assert_allclose(plan, expected, rtol=0, atol=1e-12)


def test_learning_rates_are_tempbalances() -> None:
    rate, count = 0.1, METRIC.size
    linear = np.interp(METRIC, [METRIC.min(), METRIC.max()], [0.5 * rate, 1.5 * rate])
    root = np.sqrt(METRIC) / np.sum(np.sqrt(METRIC)) * count * rate
    logarithm = np.log2(METRIC) / np.sum(np.log2(METRIC)) * count * rate
    np.testing.assert_allclose(learning_rates(METRIC, rate, 0.5, "linear"), linear, rtol=0, atol=1e-12)
    np.testing.assert_allclose(learning_rates(METRIC, rate, 0.5, "sqrt"), root, rtol=0, atol=1e-12)
    np.testing.assert_allclose(learning_rates(METRIC, rate, 0.5, "log2"), logarithm, rtol=0, atol=1e-12)
    assert learning_rates(METRIC, rate, 0.5, "log2").mean() == pytest.approx(rate, rel=1e-14)


def test_weight_decay_is_linear_from_the_smallest_to_the_largest() -> None:
    expected = np.interp(METRIC, [METRIC.min(), METRIC.max()], [0.08, 0.12])
    np.testing.assert_allclose(weight_decays(METRIC, 0.1, 0.2), expected, rtol=0, atol=1e-12)


def test_shares_are_alphaloras() -> None:
    expected = METRIC**2.5 / np.sum(METRIC**2.5) * 160
    np.testing.assert_allclose(power_shares(METRIC, 160, 2.5), expected, rtol=0, atol=1e-12 * 160)


@given(_BLOCKS, st.integers(0, 400), st.integers(0, 3), st.floats(0, 8))
@settings(max_examples=examples(150))
def test_whole_numbers_sum_to_the_total_and_leave_none_out(
    blocks: tuple[list[float], list[int]], more: int, least: int, beta: float
) -> None:
    metric = np.array(blocks[0])
    total = least * metric.size + more
    shares = power_shares(metric, total, beta)
    counts = whole_shares(shares, total, least)
    assert counts.sum() == total
    assert counts.min() >= least
    # Where rounding alone sums to the total, as the published code tries first, it is the answer.
    rounded = np.round(shares)
    ties = np.abs(shares - np.floor(shares) - 0.5) < 1e-9
    if rounded.sum() == total and rounded.min() >= least and not ties.any():
        assert counts.tolist() == rounded.tolist()


def test_a_small_share_is_raised_and_the_furthest_above_its_share_pays() -> None:
    assert whole_shares(np.array([0.01, 0.01, 5.98]), 6, 1).tolist() == [1, 1, 4]
    assert whole_shares(np.array([2.5, 2.5]), 5, 1).tolist() == [3, 2]
    with pytest.raises(UsageError, match="5 is too few for 3 blocks with at least 2 each"):
        whole_shares(np.array([1.0, 2.0, 2.0]), 5, 2)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_equal_metrics_give_the_uniform_plan(count: int) -> None:
    same, params = np.full(count, 2.7), np.arange(1.0, count + 1)
    np.testing.assert_allclose(sparsities(same, params, 0.4, 0.3, 0, 0.99), np.full(count, 0.4), rtol=1e-14)
    for rates in (
        *(learning_rates(same, 0.1, 0.5, form) for form in ("linear", "sqrt", "log2")),
        weight_decays(same, 0.1, 0.5),
    ):
        np.testing.assert_allclose(rates, np.full(count, 0.1), rtol=1e-14)
    np.testing.assert_array_equal(
        whole_shares(power_shares(same, 17, 2.5), 17, 1), whole_shares(np.full(count, 17 / count), 17, 1)
    )
    chosen = choose_matrices(same, ["q"] * count, 0.5)
    assert chosen.value.tolist() == chosen.uniform.tolist()


def test_the_depth_plan_grows_evenly_over_the_same_range() -> None:
    plan = learning_rates(METRIC, 0.1, 0.5, "linear")
    even = evenly(plan, 0.7)
    np.testing.assert_allclose(even, np.linspace(0.05, 0.15, 7), rtol=1e-14)
    assert (np.diff(evenly(learning_rates(METRIC, 0.1, 0.5, "sqrt"), 0.7)) > 0).all()


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: sparsities(METRIC, PARAMS, 0.995, 0.3, 0, 0.99), "no plan prunes 0.995 of all weights"),
        (lambda: sparsities(METRIC, PARAMS, 0.1, 0.3, 0.2, 0.99), "with 0.2 to 0.99 of each block"),
        (lambda: sparsities(METRIC, PARAMS, 0.5, 1.0, 0, 0.99), "epsilon is 1: give a number from 0 to below 1"),
        (lambda: learning_rates(METRIC - 1.5, 0.1, 0.5, "log2"), "needs metrics above 1, and the smallest is 0.5"),
        (lambda: learning_rates(METRIC - 2, 0.1, 0.5, "sqrt"), "needs metrics above 0"),
        (lambda: power_shares(METRIC - 2, 16, 2.5), "powers need metrics above 0"),
        (lambda: power_shares(METRIC, 16, -1e9), "too large"),
        (lambda: choose_matrices(METRIC, ["q"] * 7, 0.0), "the share to train is 0"),
    ],
)
def test_what_can_not_be_met_is_a_line(made: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        made()  # type: ignore[operator]


@given(st.lists(st.tuples(st.floats(0, 10), st.sampled_from("qkv")), min_size=1, max_size=40), st.floats(0.01, 1))
@settings(max_examples=examples(200))
def test_all_three_choices_have_one_size_within_each_role(cells: list[tuple[float, str]], share: float) -> None:
    metric, roles = np.array([value for value, _ in cells]), [role for _, role in cells]
    chosen = choose_matrices(metric, roles, share)
    for role in set(roles):
        members = np.array([each == role for each in roles])
        sizes = {int(plan[members].sum()) for plan in (chosen.value, chosen.uniform, chosen.linear)}
        assert sizes == {max(1, round(share * int(members.sum())))}
        if np.ptp(metric[members]) > 0:
            taken, rest = metric[members][chosen.value[members] == 1], metric[members][chosen.value[members] == 0]
            assert not rest.size or taken.min() >= rest.max()

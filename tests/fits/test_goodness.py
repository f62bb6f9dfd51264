"""The p-value against a plain rewriting with scipy's draws, and its uniformity where that is known."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from scipy import stats

from tests.examples import examples
from tests.fits.tails import EXTREME, kdd_esd, tails
from wqscore.fits.goodness import p_value, p_value_at
from wqscore.fits.power_law import PowerLawFit, fit_power_law, fit_power_law_at
from wqscore.fits.refit_kernel import power_law_points
from wqscore.scoring.score_matrix import FAR_FROM_FIT, UNLIKELY


def plain_p_value(values: np.ndarray, fit: PowerLawFit, rng: np.random.Generator, count: int) -> float:
    """Section 4.1 of Clauset, Shalizi & Newman, point by point, sorted and fitted."""
    body = values[values < fit.xmin]
    larger = 0
    for _ in range(count):
        from_tail = rng.random(values.size) < fit.n_tail / values.size
        draw = stats.pareto(fit.alpha - 1, scale=fit.xmin).rvs(values.size, random_state=rng)
        if body.size:
            draw = np.where(from_tail, draw, rng.choice(body, values.size))
        refitted = fit_power_law(np.sort(draw))
        assert refitted is not None
        larger += refitted.D >= fit.D
    return (1 + larger) / (1 + count)


def body_and_tail(rng: np.random.Generator) -> np.ndarray:
    return np.concatenate([rng.random(150), 1 + rng.pareto(2, 100)])


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(np.sort(body_and_tail(np.random.default_rng(1))), id="power-law"),
        pytest.param(np.sort(np.random.default_rng(5).lognormal(0, 0.7, 300)), id="lognormal"),
        pytest.param(np.sort(1 + np.random.default_rng(6).pareto(2, 120)), id="no-body"),
        pytest.param(kdd_esd("mediocre"), id="published"),
    ],
)
def test_is_that_of_the_plain_procedure(values: np.ndarray) -> None:
    fit = fit_power_law(values)
    assert fit is not None
    plain = plain_p_value(values, fit, np.random.default_rng(0), 600)
    fast = p_value(values, 0.0, fit, seed=0, count=2000)
    spread = np.sqrt(max(plain * (1 - plain), 1e-3) * (1 / 600 + 1 / 2000))
    assert fast == pytest.approx(plain, abs=4 * spread + 1 / 600)


def test_draws_are_ordered_pareto() -> None:
    drawn = power_law_points(np.random.default_rng(0).standard_exponential(5000), 3.5)
    assert (np.diff(drawn) > 0).all()
    assert stats.kstest(np.exp(drawn), stats.pareto(2.5).cdf).pvalue > 0.01
    # Of order statistics, not only their sum: the smallest of 50 is exponential with rate 50·(alpha − 1).
    rng = np.random.default_rng(1)
    smallest = [power_law_points(rng.standard_exponential(50), 2.0)[0] for _ in range(2000)]
    assert stats.kstest(smallest, stats.expon(scale=1 / 50).cdf).pvalue > 0.01


@pytest.mark.parametrize("n_tail", [15, 300])
def test_is_uniform_on_power_laws_when_xmin_is_given(n_tail: int) -> None:
    rng = np.random.default_rng(n_tail)
    fits = [fit_power_law_at(np.sort(1 + rng.pareto(1.2, n_tail)), 0.0, 1.0) for _ in range(400)]
    p_values = [p_value_at(fit, seed=draw, count=100) for draw, fit in enumerate(fits) if fit]
    assert len(p_values) == 400
    # p is one of 101 values: its distribution is within 1/101 of the uniform one.
    assert stats.kstest(p_values, stats.uniform.cdf).statistic < 1.63 / np.sqrt(400) + 1 / 101


def test_is_seldom_small_on_power_laws_and_often_on_others() -> None:
    rng = np.random.default_rng(3)
    shares = []
    for draw_one in (
        body_and_tail,
        lambda rng: np.linalg.eigvalsh(np.cov(rng.standard_normal((100, 400)))),
    ):
        p_values = []
        for draw in range(100):
            values = np.sort(draw_one(rng))
            fit = fit_power_law(values)
            assert fit is not None
            p_values.append(p_value(values, 0.0, fit, seed=draw))
        shares.append(np.mean(np.array(p_values) < 0.1))
    # The bound, and three standard deviations of a share of 100 draws.
    assert shares[0] <= 0.14 + 3 * np.sqrt(0.14 * 0.86 / 100)
    assert shares[1] >= 0.4


def test_the_floor_leaves_the_rest_out() -> None:
    values = np.sort(body_and_tail(np.random.default_rng(0)) + 1)
    fit = fit_power_law(values)
    assert fit is not None
    below = np.linspace(1e-9, 0.5, 200)
    assert p_value(np.concatenate([below, values]), 0.5, fit, seed=4) == p_value(values, 0.0, fit, seed=4)


def test_same_seed_same_p_value() -> None:
    values = np.sort(body_and_tail(np.random.default_rng(0)))
    fit = fit_power_law(values)
    assert fit is not None
    by_seed = [p_value(values, 0.0, fit, seed=seed) for seed in (0, 1, 2, 3, 0)]
    assert by_seed[0] == by_seed[-1]
    assert len(set(by_seed)) > 1


@settings(max_examples=examples(50))
@given(values=tails())
def test_counts_the_spectrum_itself(values: np.ndarray) -> None:
    fit = fit_power_law(values)
    if fit is None:
        return
    p = p_value(values, 0.0, fit, seed=0, count=9)
    assert any(p == pytest.approx(k / 10) for k in range(1, 11))


@pytest.mark.parametrize("values", EXTREME)
def test_extremes_have_a_p_value_without_a_warning(values: np.ndarray) -> None:
    fit = fit_power_law(values)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if fit is not None:
            assert 0 < p_value(values, 0.0, fit, seed=0, count=50) <= 1


def test_of_the_published_esds_the_well_trained_one_is_not_flagged() -> None:
    """By p alone it would be: its tail is long and its D small."""
    eigenvalues = kdd_esd("good")
    fit = fit_power_law(eigenvalues)
    assert fit is not None
    assert not (fit.D > FAR_FROM_FIT and p_value(eigenvalues, 0.0, fit, seed=0) < UNLIKELY)
    assert p_value(eigenvalues, 0.0, fit, seed=0) < UNLIKELY

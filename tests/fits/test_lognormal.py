"""The lognormal tail against powerlaw 1.5, mpmath, draws, and its power-law limit."""

from __future__ import annotations

import warnings

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.fits.tails import EXTREME, KDD_FLOOR, NO_TAIL, kdd_esd, kdd_fits, row_name, tails
from wqscore.fits.lognormal import LognormalFit, fit_lognormal
from wqscore.fits.power_law import fit_power_law_at, log_likelihood

mp = mpmath.mp.clone()
mp.dps = 40


def survival(x: float, mu: float, sigma: float, xmin: float) -> object:
    """P(λ > x), from the complementary error function to 40 digits."""
    upper = mp.erfc((mp.log(x) - mp.mpf(mu)) / (mp.mpf(sigma) * mp.sqrt(2)))
    return upper / mp.erfc((mp.log(xmin) - mp.mpf(mu)) / (mp.mpf(sigma) * mp.sqrt(2)))


def exact_log_likelihood(tail: np.ndarray, mu: float, sigma: float, xmin: float) -> float:
    mu, sigma = mp.mpf(mu), mp.mpf(sigma)
    whole = mp.erfc((mp.log(xmin) - mu) / (sigma * mp.sqrt(2))) / 2
    log_normaliser = mp.log(sigma * mp.sqrt(2 * mp.pi) * whole)
    logs = [mp.log(float(x)) for x in tail]
    return float(sum(-log - (log - mu) ** 2 / (2 * sigma**2) - log_normaliser for log in logs))


@pytest.mark.parametrize("row", kdd_fits("lognormal"), ids=row_name)
def test_at_least_as_likely_as_powerlaw(row: dict[str, str]) -> None:
    fit = fit_lognormal(kdd_esd(row["esd"]), KDD_FLOOR, float(row["xmin"]))
    assert fit is not None
    assert fit.n_tail == int(row["n_tail"])
    assert fit.loglik == pytest.approx(float(row["loglik"]), abs=1e-6)
    assert fit.loglik >= float(row["loglik"])
    # powerlaw's search ends within 1e-4.
    assert fit.mu == pytest.approx(float(row["lognormal_mu"]), abs=1e-4)
    assert fit.sigma == pytest.approx(float(row["lognormal_sigma"]), abs=1e-4)
    assert pytest.approx(float(row["D"]), abs=1e-5) == fit.D


def fitted(values: np.ndarray, xmin: float) -> tuple[LognormalFit, np.ndarray] | None:
    fit = fit_lognormal(values, 0.0, xmin)
    tail = values[values >= xmin]
    if fit is None:
        assert len(tail) < 10 or tail[-1] / tail[0] - 1 <= 1e-10
        return None
    assert fit.n_tail == len(tail)
    return fit, tail


@settings(max_examples=examples(60))
@given(values=tails(60), below=st.sampled_from([1.0, 0.9, 1e-3]))
def test_likelihood_and_distance_are_those_of_the_density(values: np.ndarray, below: float) -> None:
    xmin = float(values[len(values) // 8]) * below
    if (found := fitted(values, xmin)) is None:
        return
    fit, tail = found
    # The last digits of mu and sigma move the density where sigma is small or the tail begins 10⁴ of them from mu.
    depth = 1 + abs(np.log(xmin) - fit.mu) / fit.sigma
    precision = 1e-10 + 1e-14 * depth * (depth + abs(fit.mu) / fit.sigma)
    assert fit.loglik == pytest.approx(
        exact_log_likelihood(tail, fit.mu, fit.sigma, xmin), rel=1e-10, abs=precision * fit.n_tail
    )
    m = fit.n_tail
    gaps = [abs(float(1 - survival(float(x), fit.mu, fit.sigma, xmin)) - k / m) for k, x in enumerate(tail)]
    assert pytest.approx(max(gaps), abs=precision) == fit.D


@settings(max_examples=examples(100))
@given(values=tails(60), shift=st.floats(-1, 1), factor=st.floats(0.5, 2))
def test_nothing_near_is_likelier(values: np.ndarray, shift: float, factor: float) -> None:
    xmin = float(values[0]) * 0.9
    if (found := fitted(values, xmin)) is None:
        return
    fit, tail = found
    other = exact_log_likelihood(tail, fit.mu + shift * fit.sigma, fit.sigma * factor, xmin)
    assert fit.loglik >= other - 1e-6 * fit.n_tail


@settings(max_examples=examples(100))
@given(values=tails())
def test_holds_the_power_law_as_its_limit(values: np.ndarray) -> None:
    if (found := fitted(values, float(values[0]))) is None:
        return
    fit, tail = found
    power_law = fit_power_law_at(values, 0.0, fit.xmin)
    assert power_law is not None
    logs = np.log(tail / fit.xmin)
    loss = 1e-8 * fit.n_tail * max(np.mean(logs**2) / (2 * np.mean(logs) ** 2) - 1, 0)
    likelihood = log_likelihood(power_law, values)
    assert fit.loglik >= likelihood - 1.1 * loss - 1e-9 * abs(likelihood) - 1e-6
    assert np.isfinite([fit.mu, fit.sigma]).all()


def test_a_tail_heavier_than_a_power_law_gives_the_limit() -> None:
    logs = np.random.default_rng(0).exponential(1, 300) ** 1.5
    values = np.sort(np.exp(logs))
    fit, power_law = fit_lognormal(values, 0.0, values[0]), fit_power_law_at(values, 0.0, values[0])
    assert fit is not None and power_law is not None
    assert fit.loglik == pytest.approx(log_likelihood(power_law, values), abs=1e-5)
    assert pytest.approx(power_law.D, abs=1e-6) == fit.D
    # The density's slope at xmin is the exponent.
    assert 1 + (np.log(fit.xmin) - fit.mu) / fit.sigma**2 == pytest.approx(power_law.alpha, abs=1e-6)


@pytest.mark.parametrize(
    ("mu", "sigma", "xmin"), [(0.0, 1.0, 0.5), (2.0, 0.1, 1.0), (-3.0, 2.0, 0.5), (1.0, 3.0, 1.0)]
)
def test_recovers_the_parameters_of_draws(mu: float, sigma: float, xmin: float) -> None:
    draws = np.random.default_rng(1).lognormal(mu, sigma, 400_000)
    tail = np.sort(draws[draws >= xmin])
    fit = fit_lognormal(draws[draws.argsort()], 0.0, xmin)
    assert fit is not None
    # Standard errors from the covariance of the sufficient statistics.
    logs = np.log(tail)
    statistics = np.cov([(logs - mu) / sigma**2, (logs - mu) ** 2 / sigma**3])
    errors = np.sqrt(np.diag(np.linalg.inv(statistics)) / len(tail))
    assert abs(fit.mu - mu) < 5 * errors[0]
    assert abs(fit.sigma - sigma) < 5 * errors[1]
    assert 2 / np.sqrt(len(tail)) > fit.D


@settings(max_examples=examples(100))
@given(values=tails(), power=st.integers(-60, 60))
def test_scaling_the_weights_shifts_mu(values: np.ndarray, power: int) -> None:
    fit = fit_lognormal(values, 0.0, values[0])
    scaled = fit_lognormal(values * 2.0**power, 0.0, values[0] * 2.0**power)
    assert (fit is None) == (scaled is None)
    if fit and scaled:
        assert (scaled.sigma, scaled.D, scaled.n_tail) == (fit.sigma, fit.D, fit.n_tail)
        assert scaled.mu == pytest.approx(fit.mu + power * np.log(2), rel=1e-12, abs=1e-11)


@pytest.mark.parametrize("values", NO_TAIL)
def test_no_tail_is_none_and_not_a_number(values: np.ndarray) -> None:
    assert fit_lognormal(values, 0.0, 1.0) is None


@pytest.mark.parametrize("values", EXTREME)
def test_extremes_are_fitted_or_none_without_a_warning(values: np.ndarray) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit = fit_lognormal(values, 0.0, values[0])
    if fit is not None:
        assert np.isfinite([fit.mu, fit.sigma, fit.loglik]).all()
        assert 0 <= fit.D <= 1 and fit.sigma > 0

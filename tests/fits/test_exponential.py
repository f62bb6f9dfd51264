"""The exponential tail against powerlaw 1.5, a plain loop and closed forms."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.fits.tails import EXTREME, KDD_FLOOR, NO_TAIL, kdd_esd, kdd_fits, row_name, tails
from wqscore.fits.exponential import fit_exponential
from wqscore.fits.truncated_power_law import fit_e_tpl


def log_likelihood(tail: np.ndarray, xmin: float, rate: float) -> float:
    return float(np.sum(np.log(rate) - rate * (tail - xmin)))


@pytest.mark.parametrize("row", kdd_fits("exponential"), ids=row_name)
def test_at_least_as_likely_as_powerlaw(row: dict[str, str]) -> None:
    fit = fit_exponential(kdd_esd(row["esd"]), KDD_FLOOR, float(row["xmin"]))
    assert fit is not None
    assert fit.n_tail == int(row["n_tail"])
    assert fit.loglik >= float(row["loglik"]) - 1e-6
    # powerlaw searches for what has a closed form, to 1e-4 in the parameter.
    assert fit.Lambda == pytest.approx(float(row["exponential_Lambda"]), abs=1e-4)
    assert pytest.approx(float(row["D"]), abs=2e-4) == fit.D


def test_orders_the_published_esds_by_quality() -> None:
    rates = []
    for name in ("good", "mediocre", "bad"):
        at_mode = fit_e_tpl(kdd_esd(name), KDD_FLOOR)
        assert at_mode is not None
        fit = fit_exponential(kdd_esd(name), KDD_FLOOR, at_mode.xmin)
        assert fit is not None
        rates.append(fit.Lambda)
    assert rates == sorted(rates)
    assert rates[1] / rates[0] > 1.2 and rates[2] / rates[1] > 1.2


@settings(max_examples=examples(200))
@given(values=tails(), factor=st.floats(0.5, 2))
def test_is_the_most_likely_and_measures_its_own_distance(values: np.ndarray, factor: float) -> None:
    xmin = float(values[len(values) // 4])
    fit = fit_exponential(values, 0.0, xmin)
    tail = values[values >= xmin]
    if fit is None:
        assert len(tail) < 10 or tail[-1] == tail[0]
        return
    m = fit.n_tail
    assert m == len(tail)
    assert fit.loglik == pytest.approx(log_likelihood(tail, xmin, fit.Lambda), rel=1e-9, abs=1e-7)
    assert fit.loglik >= log_likelihood(tail, xmin, fit.Lambda * factor) - 1e-7 * m
    gaps = [abs(1 - np.exp(-fit.Lambda * (point - xmin)) - k / m) for k, point in enumerate(tail)]
    assert pytest.approx(max(gaps), abs=1e-9) == fit.D


@settings(max_examples=examples(100))
@given(values=tails(), power=st.integers(-60, 60))
def test_scaling_the_weights_scales_the_rate(values: np.ndarray, power: int) -> None:
    fit = fit_exponential(values, 0.0, values[0])
    scaled = fit_exponential(values * 2.0**power, 0.0, values[0] * 2.0**power)
    assert (fit is None) == (scaled is None)
    if fit and scaled:
        assert (scaled.D, scaled.n_tail, scaled.Lambda) == (fit.D, fit.n_tail, fit.Lambda / 2.0**power)
        assert scaled.loglik == pytest.approx(fit.loglik - fit.n_tail * power * np.log(2), rel=1e-9, abs=1e-7)


@pytest.mark.parametrize("rate", [1e-3, 1.0, 40.0])
def test_recovers_the_rate_of_draws(rate: float) -> None:
    draws = np.sort(2 + np.random.default_rng(0).exponential(1 / rate, 20_000))
    fit = fit_exponential(draws, 0.0, 2.0)
    assert fit is not None
    assert fit.Lambda == pytest.approx(rate, rel=5 / np.sqrt(20_000))
    assert fit.D < 0.012


@pytest.mark.parametrize("values", NO_TAIL)
def test_no_tail_is_none_and_not_a_number(values: np.ndarray) -> None:
    assert fit_exponential(values, 0.0, 1.0) is None


@pytest.mark.parametrize("xmin", [0.0, -1.0, np.nan, np.inf, 1e6])
def test_an_impossible_xmin_is_none(xmin: float) -> None:
    assert fit_exponential(np.arange(1.0, 100.0), 0.0, xmin) is None


@pytest.mark.parametrize("values", EXTREME)
def test_extremes_are_fitted_or_none_without_a_warning(values: np.ndarray) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit = fit_exponential(values, 0.0, values[0])
    if fit is not None:
        assert np.isfinite([fit.Lambda, fit.loglik]).all()
        assert 0 <= fit.D <= 1

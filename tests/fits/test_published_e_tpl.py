"""KDD 2023's E-TPL and EXP against powerlaw 1.5, mpmath's exponential integrals, and the unrestricted fit."""

from __future__ import annotations

import contextlib
import io
import warnings

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.fits.tails import EXTREME, KDD_FLOOR, NO_TAIL, kdd_esd, kdd_fits, row_name, tails
from tests.oracles import Oracle
from wqscore.fits.mode import esd_mode
from wqscore.fits.published_e_tpl import (
    cut_off_distance,
    fit_e_tpl_bounded,
    fit_e_tpl_bounded_at,
    fit_exponential_at,
    fit_published_exponential,
    probabilities,
    published_starts,
)
from wqscore.fits.truncated_power_law import fit_truncated_power_law

powerlaw = Oracle("powerlaw")

mp = mpmath.mp.clone()
mp.dps = 30

ESDS = ["good", "mediocre", "bad"]


def exact_loglik(tail: np.ndarray, xmin: float, alpha: float, Lambda: float) -> float:
    """Σ ln p(λ), p = λ^−α e^{−Λλ} / (xmin^(1−α)·E_α(Λ·xmin))."""
    normaliser = (1 - alpha) * mp.log(xmin) + mp.log(mp.expint(alpha, mp.mpf(Lambda) * xmin))
    return float(-alpha * np.log(tail).sum() - Lambda * tail.sum() - len(tail) * normaliser)


def exact_cut_off_distance(tail: np.ndarray, xmin: float, alpha: float, Lambda: float) -> float:
    """As powerlaw 1.x has it: (F(λ) − F(xmin))/(F(xmax) − F(xmin)), against the share of the tail below λ."""
    distinct = np.unique(tail)
    upper = [mp.gammainc(1 - mp.mpf(alpha), mp.mpf(Lambda) * mp.mpf(float(x))) for x in [xmin, *distinct]]
    model = [float((upper[0] - u) / (upper[0] - upper[-1])) for u in upper[1:]]
    return float(max(abs(m - np.count_nonzero(tail < x) / len(tail)) for m, x in zip(model, distinct, strict=True)))


@pytest.mark.parametrize("row", kdd_fits("truncated_power_law"), ids=row_name)
def test_at_least_as_likely_as_powerlaw(row: dict[str, str]) -> None:
    fit = fit_e_tpl_bounded_at(kdd_esd(row["esd"]), float(row["xmin"]))
    assert fit is not None
    assert fit.n_tail == int(row["n_tail"])
    assert fit.alpha >= 1
    assert fit.loglik >= float(row["loglik"]) - 1e-6
    # powerlaw's search ends when its triangle is 1e-4 wide. At the edge, where every point with α ≤ 1 is refused,
    # that happens before it is at the top.
    assert fit.alpha == pytest.approx(float(row["truncated_power_law_alpha"]), abs=1e-4)
    assert fit.Lambda == pytest.approx(float(row["truncated_power_law_Lambda"]), abs=1e-4 if fit.alpha > 1 else 2e-4)
    assert fit.loglik == pytest.approx(float(row["loglik"]), abs=1e-6 if fit.alpha > 1 else 1e-3)


@pytest.mark.parametrize("name", ESDS)
def test_powerlaws_parameters_have_powerlaws_distance(name: str) -> None:
    row = next(row for row in kdd_fits("truncated_power_law") if row["esd"] == name and row["xmax"])
    xmin, alpha = float(row["xmin"]), float(row["truncated_power_law_alpha"])
    tail = kdd_esd(name)[kdd_esd(name) >= xmin]
    below = probabilities(np.log(tail), np.log(xmin), alpha, float(row["truncated_power_law_Lambda"]))
    assert cut_off_distance(tail, below) == pytest.approx(float(row["D"]), abs=1e-12)


@pytest.mark.parametrize("name", ESDS)
def test_the_edge_and_the_inside_are_those_of_mpmath(name: str) -> None:
    values = kdd_esd(name)
    fit = fit_e_tpl_bounded(values)
    assert fit is not None
    tail = values[values >= fit.xmin]
    xmin, mean_ratio = mp.mpf(fit.xmin), mp.mpf(float(np.mean(tail / fit.xmin)))
    rate = mp.mpf(fit.Lambda) * xmin
    mean_log = float(np.mean(np.log(tail / fit.xmin)))
    alpha = mp.mpf(fit.alpha)
    model_mean_log = float(-mp.diff(lambda a: mp.log(mp.expint(a, rate)), alpha))
    if name == "bad":
        assert fit.alpha == 1
        root = mp.findroot(lambda z: mp.exp(-z) / (z * mp.e1(z)) - mean_ratio, rate)
        assert fit.Lambda == pytest.approx(float(root / xmin), rel=1e-11)
        assert model_mean_log < mean_log  # only an exponent below 1 would be likelier
    else:
        assert fit.alpha > 1
        assert float(mp.expint(alpha - 1, rate) / mp.expint(alpha, rate) / mean_ratio) == pytest.approx(1, abs=1e-9)
        assert model_mean_log == pytest.approx(mean_log, rel=1e-9)
    assert fit.loglik == pytest.approx(exact_loglik(tail, fit.xmin, fit.alpha, fit.Lambda), abs=1e-9)
    assert pytest.approx(exact_cut_off_distance(tail, fit.xmin, fit.alpha, fit.Lambda), abs=1e-11) == fit.D


@pytest.mark.oracle("powerlaw")
@pytest.mark.parametrize("name", ["mediocre", "bad"])
def test_every_xmin_of_powerlaws_window(name: str) -> None:
    values = kdd_esd(name)
    mode = esd_mode(values, KDD_FLOOR)
    assert mode is not None
    with contextlib.redirect_stdout(io.StringIO()), np.errstate(all="ignore"):
        published = powerlaw.Fit(
            values,
            xmin=(0.95 * mode, 1.05 * mode),
            xmax=values[-1],
            verbose=False,
            xmin_distribution="truncated_power_law",
        )
    assert published_starts(values, KDD_FLOOR) == published.xmins.tolist()
    for xmin, D, alpha in zip(published.xmins, published.Ds, published.alphas, strict=True):
        fit = fit_e_tpl_bounded_at(values, float(xmin))
        assert fit is not None
        assert fit.alpha == pytest.approx(alpha, abs=2e-4)
        assert pytest.approx(D, abs=5e-4) == fit.D
    best = fit_e_tpl_bounded(values)
    assert best is not None
    assert pytest.approx(published.D, abs=5e-4) == best.D


@pytest.mark.parametrize("name", ESDS)
def test_the_exponential_is_a_plain_loop_over_the_window(name: str) -> None:
    values = kdd_esd(name)
    fits = []
    for xmin in published_starts(values, KDD_FLOOR):
        tail = values[values >= xmin]
        rate = 1 / (tail.mean() - xmin)
        model = (1 - np.exp(-rate * (tail - xmin))) / (1 - np.exp(-rate * (tail[-1] - xmin)))
        fits.append((np.max(np.abs(model - np.arange(len(tail)) / len(tail))), xmin, rate))
    D, xmin, rate = min(fits)
    fit = fit_published_exponential(values)
    assert fit is not None
    assert fit.xmin == xmin
    assert [fit.D, fit.Lambda] == pytest.approx([D, rate], rel=1e-12)


def test_orders_the_published_esds_by_quality() -> None:
    cut_offs = [fit.Lambda for name in ESDS if (fit := fit_e_tpl_bounded(kdd_esd(name))) is not None]
    rates = [fit.Lambda for name in ESDS if (fit := fit_published_exponential(kdd_esd(name))) is not None]
    for good, mediocre, bad in (cut_offs, rates):
        assert good * 1.2 < mediocre < bad / 1.2


@settings(max_examples=examples(200))
@given(values=tails(60), below=st.sampled_from([1.0, 0.9, 1e-3]))
def test_is_the_unrestricted_fit_or_on_the_edge(values: np.ndarray, below: float) -> None:
    xmin = float(values[0]) * below
    bounded, free = fit_e_tpl_bounded_at(values, xmin), fit_truncated_power_law(values, xmin=xmin)
    assert (bounded is None) == (free is None)
    if bounded is None or free is None:
        return
    assert bounded.n_tail == free.n_tail
    if free.alpha > 1 + 1e-6:
        assert (bounded.alpha, bounded.Lambda, bounded.loglik) == (free.alpha, free.Lambda, free.loglik)
    elif free.alpha < 1 - 1e-6:
        assert bounded.alpha == 1
        assert 0 < bounded.Lambda < free.Lambda
        assert bounded.loglik <= free.loglik + 1e-9 * abs(free.loglik)


@settings(max_examples=examples(100))
@given(values=tails(40), below=st.sampled_from([1.0, 0.9, 1e-3]))
def test_the_edge_has_the_tails_own_mean(values: np.ndarray, below: float) -> None:
    xmin = float(values[0]) * below
    fit = fit_e_tpl_bounded_at(values, xmin)
    if fit is None or fit.alpha != 1:
        return
    tail = values[values >= xmin]
    rate = mp.mpf(fit.Lambda) * mp.mpf(xmin)
    excess = float(mp.exp(-rate) / (rate * mp.expint(1, rate)) - 1)
    assert excess == pytest.approx(float(np.mean((tail - xmin) / xmin)), rel=1e-9)
    assert fit.loglik == pytest.approx(exact_loglik(tail, xmin, 1, fit.Lambda), rel=1e-9, abs=1e-7 * len(tail))
    assert pytest.approx(exact_cut_off_distance(tail, xmin, 1, fit.Lambda), abs=1e-9) == fit.D


def test_equal_eigenvalues_count_from_the_first() -> None:
    values = np.repeat(np.append(1.0, np.linspace(1.5, 4, 10)), [30] + [3] * 10)
    fit, rate = fit_e_tpl_bounded_at(values, 1.0), fit_exponential_at(values, 1.0)
    assert fit is not None and rate is not None
    assert pytest.approx(exact_cut_off_distance(values, 1.0, fit.alpha, fit.Lambda), abs=1e-10) == fit.D
    assert pytest.approx(exact_cut_off_distance(values, 1.0, 0.0, rate.Lambda), abs=1e-10) == rate.D


@settings(max_examples=examples(60))
@given(values=tails(100), power=st.integers(-60, 60))
def test_scaling_the_weights_scales_the_cut_off(values: np.ndarray, power: int) -> None:
    factor = 2.0**power
    for fit, scaled in (
        (fit_e_tpl_bounded(values, 0.0), fit_e_tpl_bounded(values * factor, 0.0)),
        (fit_published_exponential(values, 0.0), fit_published_exponential(values * factor, 0.0)),
    ):
        assert (fit is None) == (scaled is None)
        if fit and scaled:
            assert (scaled.D, scaled.n_tail) == (fit.D, fit.n_tail)
            assert (scaled.xmin, scaled.Lambda) == (fit.xmin * factor, fit.Lambda / factor)


def test_the_window_leaves_its_last_eigenvalue_out() -> None:
    # Bins are a tenth of a decade. The fullest, [10^0.3, 10^0.4), is given as 2, so the window is [1.9, 2.1].
    values = np.sort(
        np.concatenate([[1.0], [1.95, 2.0, 2.0, 2.05], np.linspace(2.2, 2.4, 9), np.geomspace(3, 1e10, 30)])
    )
    assert published_starts(values, 0.0) == [1.95, 2.0]
    assert published_starts(values[(values < 1.5) | (values > 2.02)], 0.0) == []


@pytest.mark.parametrize("values", NO_TAIL)
def test_no_tail_is_none_and_not_a_number(values: np.ndarray) -> None:
    assert fit_e_tpl_bounded(values) is None
    assert fit_published_exponential(values) is None
    assert fit_e_tpl_bounded_at(values, 1.0) is None
    assert fit_exponential_at(values, 1.0) is None


@pytest.mark.parametrize("values", EXTREME)
def test_extremes_are_fitted_or_none_without_a_warning(values: np.ndarray) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fits = [
            fit_e_tpl_bounded(values),
            fit_e_tpl_bounded_at(values, values[0]),
            fit_e_tpl_bounded_at(values, values[0] / 2),
        ]
        rates = [fit_published_exponential(values), fit_exponential_at(values, values[0])]
    for fit in fits:
        if fit is not None:
            assert np.isfinite([fit.alpha, fit.Lambda, fit.loglik]).all()
            assert fit.alpha >= 1 and fit.Lambda >= 0 and 0 <= fit.D <= 1
    for rate in rates:
        if rate is not None:
            assert np.isfinite([rate.Lambda, rate.loglik]).all() and 0 <= rate.D <= 1

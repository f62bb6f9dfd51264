"""Likelihood ratios against powerlaw 1.5 where it is right, densities point by point, and draws of both laws."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from scipy import stats

from tests.examples import examples
from tests.fits.tails import EXTREME, kdd_esd, tails
from tests.oracles import Oracle
from wqscore.fits.comparison import (
    NestedRatio,
    VuongRatio,
    against_exponential,
    against_lognormal,
    against_truncated,
)
from wqscore.fits.exponential import ExponentialFit, fit_exponential
from wqscore.fits.lognormal import LognormalFit, fit_lognormal
from wqscore.fits.power_law import PowerLawFit, fit_power_law, fit_power_law_at
from wqscore.fits.truncated_power_law import TruncatedPowerLawFit, fit_truncated_power_law

powerlaw = Oracle("powerlaw")


def fits(
    values: np.ndarray, xmin: float
) -> tuple[PowerLawFit, ExponentialFit | None, LognormalFit | None, TruncatedPowerLawFit | None] | None:
    power_law = fit_power_law_at(values, 0.0, xmin)
    if power_law is None:
        return None
    return (
        power_law,
        fit_exponential(values, 0.0, xmin),
        fit_lognormal(values, 0.0, xmin),
        fit_truncated_power_law(values, 0.0, xmin),
    )


def bent(alpha: float, Lambda: float, n: int, seed: int) -> np.ndarray:
    """Draws of the truncated power law from 1 on."""
    rng = np.random.default_rng(seed)
    candidates = 1 + rng.exponential(1 / Lambda, 200 * n)
    return np.sort(candidates[rng.random(candidates.size) < candidates**-alpha][:n])


SPECTRA = [
    *(pytest.param(kdd_esd(name), id=name) for name in ("good", "mediocre", "bad")),
    pytest.param(np.sort(np.random.default_rng(0).lognormal(1, 0.8, 400)), id="lognormal"),
    pytest.param(1 + np.sort(np.random.default_rng(1).exponential(2, 300)), id="exponential"),
    pytest.param(bent(2.0, 0.3, 500, 2), id="truncated"),
]


@pytest.mark.oracle("powerlaw")
@pytest.mark.parametrize("values", SPECTRA)
def test_agrees_with_powerlaw(values: np.ndarray) -> None:
    best = fit_power_law(values)
    assert best is not None
    found = fits(values, best.xmin)
    assert found is not None
    power_law, exponential, lognormal, truncated = found
    assert exponential and lognormal and truncated
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reference = powerlaw.Fit(values, xmin=best.xmin, verbose=False)
        of_exponential = reference.distribution_compare("power_law", "exponential", normalized_ratio=True)
        of_lognormal = reference.distribution_compare("power_law", "lognormal", normalized_ratio=True)
        of_truncated = reference.distribution_compare("power_law", "truncated_power_law", nested=True)
        reached = reference.truncated_power_law
    # Its searches for the parameters end within 1e-4.
    ratio = against_exponential(values, power_law, exponential)
    assert (ratio.R, ratio.p) == pytest.approx(of_exponential, rel=2e-3)
    if not lognormal.at_limit:
        ratio = against_lognormal(values, power_law, lognormal)
        assert (ratio.R, ratio.p) == pytest.approx(of_lognormal, rel=2e-3)
    if reached.parameter1 > 1.01 and truncated.Lambda > 0:
        # Where its bound alpha ≥ 1 doesn't hold; its p is of the whole χ², twice what holds at the end of a range.
        nested = against_truncated(values, power_law, truncated)
        assert pytest.approx(-2 * of_truncated[0], rel=1e-3, abs=1e-3) == nested.LR
        assert nested.p == pytest.approx(of_truncated[1] / 2, rel=1e-2)


def vuong(of_power_law: np.ndarray, of_other: np.ndarray) -> VuongRatio:
    """From log-densities point by point, as in appendix C."""
    ratios = of_power_law - of_other
    R = ratios.sum() / (ratios.std() * math.sqrt(ratios.size))
    return VuongRatio(float(R), float(2 * stats.norm.sf(abs(R))))


@settings(max_examples=examples(200))
@given(values=tails())
def test_is_that_of_the_densities_point_by_point(values: np.ndarray) -> None:
    xmin = float(values[0])
    if (found := fits(values, xmin)) is None:
        return
    power_law, exponential, lognormal, truncated = found
    of_power_law = stats.pareto(power_law.alpha - 1, scale=xmin).logpdf(values)
    if exponential:
        expected = vuong(of_power_law, stats.expon(xmin, 1 / exponential.Lambda).logpdf(values))
        ratio = against_exponential(values, power_law, exponential)
        # In narrow spectra the two families are nearly one, and scipy's densities differ in their last digits only.
        if values[-1] / xmin > 1.01:
            assert (ratio.R, ratio.p) == pytest.approx((expected.R, expected.p), rel=1e-6, abs=1e-6)
    if lognormal and not lognormal.at_limit and (math.log(xmin) - lognormal.mu) / lognormal.sigma < 30:
        logs = np.log(values)
        normal = stats.norm(lognormal.mu, lognormal.sigma)
        expected = vuong(of_power_law, normal.logpdf(logs) - normal.logsf(math.log(xmin)) - logs)
        ratio = against_lognormal(values, power_law, lognormal)
        if values[-1] / xmin > 1.01:
            assert (ratio.R, ratio.p) == pytest.approx((expected.R, expected.p), rel=1e-5, abs=1e-5)
    if truncated:
        nested = against_truncated(values, power_law, truncated)
        LR = 2 * (truncated.loglik - of_power_law.sum())
        assert abs(nested.LR - max(LR, 0)) < 1e-8 * max(values.size, abs(truncated.loglik))
        assert nested.p == (1 if nested.LR == 0 else pytest.approx(stats.chi2(1).sf(nested.LR) / 2))


def test_its_sign_says_which_is_likelier() -> None:
    rng = np.random.default_rng(0)
    heavy, light = np.sort(1 + rng.pareto(1.5, 500)), np.sort(1 + rng.exponential(1, 500))
    for values, sign in ((heavy, 1), (light, -1)):
        found = fits(values, 1.0)
        assert found is not None and found[1] is not None
        ratio = against_exponential(values, found[0], found[1])
        assert sign * ratio.R > 2
        assert ratio.p < 0.05


def test_on_power_laws_the_nested_ratio_is_half_chi_squared() -> None:
    found = []
    for draw in range(400):
        values = np.sort(1 + np.random.default_rng(draw).pareto(7, 1000))
        fitted = fits(values, 1.0)
        assert fitted is not None and fitted[3] is not None
        found.append(against_truncated(values, fitted[0], fitted[3]))
    share_at_end = np.mean([ratio.p == 1 for ratio in found])
    # Five standard deviations; in samples of this size a little less than half.
    assert share_at_end == pytest.approx(0.5, abs=0.125)
    assert np.mean([ratio.p < 0.1 for ratio in found]) == pytest.approx(0.1, abs=0.075)


def test_at_the_lognormals_limit_the_two_are_one_law() -> None:
    values = np.sort(np.exp(np.random.default_rng(0).exponential(1, 300) ** 1.5))
    found = fits(values, float(values[0]))
    assert found is not None and found[2] is not None
    assert found[2].at_limit
    assert against_lognormal(values, found[0], found[2]) == VuongRatio(0.0, 1.0)


def test_without_a_cut_off_the_nested_ratio_is_zero() -> None:
    values = np.sort(np.exp(np.random.default_rng(0).exponential(1, 300) ** 1.5))
    found = fits(values, float(values[0]))
    assert found is not None and found[3] is not None
    assert against_truncated(values, found[0], found[3]) == NestedRatio(0.0, 1.0)


@pytest.mark.parametrize("values", EXTREME)
def test_extremes_are_compared_without_a_warning(values: np.ndarray) -> None:
    best = fit_power_law(values)
    if best is None or (found := fits(values, best.xmin)) is None:
        return
    power_law, exponential, lognormal, truncated = found
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ratios = [
            *([against_exponential(values, power_law, exponential)] if exponential else []),
            *([against_lognormal(values, power_law, lognormal)] if lognormal else []),
        ]
        nested = against_truncated(values, power_law, truncated) if truncated else NestedRatio(0.0, 1.0)
    assert np.isfinite([ratio.R for ratio in ratios]).all()
    assert all(0 <= ratio.p <= 1 for ratio in [*ratios, nested])
    assert 0 <= nested.LR < math.inf

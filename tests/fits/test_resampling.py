"""The refit against `fit_power_law` and a plain loop, and the interval against NumPy's own resamples and theory."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.fits.tails import EXTREME, NO_TAIL, kdd_esd, tails
from wqscore.fits.power_law import fit_power_law
from wqscore.fits.refit_kernel import refit, resample
from wqscore.fits.resampling import resampling_interval


def plain_fits(points: np.ndarray) -> list[tuple[float, float]]:
    """D and alpha of every candidate by their definitions, ties and all."""
    found = []
    for i in range(points.size - 9):
        tail = points[i:]
        if (i > 0 and points[i] == points[i - 1]) or tail[-1] / tail[0] - 1 <= 1e-10:
            continue
        logs = np.log(tail / tail[0])
        alpha = 1 + tail.size / math.fsum(logs)
        distances = np.abs(1 - (tail / tail[0]) ** (1 - alpha) - np.arange(tail.size) / tail.size)
        found.append((float(distances.max()), alpha))
    return found


@settings(max_examples=examples(300))
@given(values=tails(), seed=st.integers(0, 2**32 - 1))
def test_a_resample_is_refitted_as_its_points_are_fitted(values: np.ndarray, seed: int) -> None:
    drawn = np.random.default_rng(seed).integers(values.size, size=values.size)
    points = np.sort(values[drawn])
    alpha, D = refit(resample(np.log(values / values[-1]), drawn))
    fit = fit_power_law(points)
    if fit is None:
        assert math.isnan(alpha) and math.isinf(D)
        return
    # Logarithms near 0 are known to 1e-16, and 1/(alpha − 1) is their mean: narrow spectra lose what alpha gains.
    assert pytest.approx(fit.D, abs=1e-14 * fit.alpha + 1e-12) == D
    fits = plain_fits(points)
    assert min(distance for distance, _ in fits) == pytest.approx(D, abs=1e-14 * fit.alpha + 1e-12)
    # Where several candidates share the smallest D but for rounding, either may be taken.
    best = [exponent for distance, exponent in fits if distance <= D + 1e-14 * fit.alpha + 1e-12]
    assert any(alpha == pytest.approx(exponent, rel=1e-12 + 1e-14 * exponent) for exponent in best)


@pytest.mark.parametrize("kind", ["pareto", "lognormal", "bulk"])
@pytest.mark.parametrize("size", [1000, 4096])
def test_long_resamples_too(kind: str, size: int) -> None:
    rng = np.random.default_rng(size)
    tail = {"pareto": 1 + rng.pareto(2, size), "lognormal": rng.lognormal(0, 1, size), "bulk": rng.random(size)}[kind]
    values = np.sort(np.concatenate([tail, 1 + rng.pareto(2, size // 4)]))
    for _ in range(20):
        drawn = rng.integers(values.size, size=values.size)
        fit = fit_power_law(np.sort(values[drawn]))
        assert fit is not None
        assert refit(resample(np.log(values), drawn)) == pytest.approx((fit.alpha, fit.D), rel=1e-11)


@settings(max_examples=examples(200))
@given(values=tails(), seed=st.integers(0, 2**32 - 1))
def test_a_resample_is_what_was_drawn_in_order(values: np.ndarray, seed: int) -> None:
    drawn = np.random.default_rng(seed).integers(values.size, size=values.size)
    np.testing.assert_array_equal(resample(values, drawn), np.sort(values[drawn]))


@pytest.mark.parametrize("name", ["good", "mediocre", "bad"])
def test_the_interval_is_that_of_materialised_resamples(name: str) -> None:
    values = kdd_esd(name)
    rng = np.random.default_rng(7)
    fits = [fit_power_law(np.sort(values[rng.integers(values.size, size=values.size)])) for _ in range(50)]
    interval = resampling_interval(values, 0.0, seed=7, count=50, level=0.9)
    assert interval is not None
    expected = np.percentile([fit.alpha for fit in fits if fit], [5, 95])
    assert (interval.lo, interval.hi) == pytest.approx(tuple(expected), rel=1e-12)


@pytest.mark.parametrize(("n_tail", "lowest"), [(50, 0.88), (200, 0.90)])
def test_holds_the_exponent_of_power_laws(n_tail: int, lowest: float) -> None:
    held = 0
    for draw in range(150):
        rng = np.random.default_rng((n_tail, draw))
        values = np.sort(np.concatenate([rng.random(n_tail), 1 + rng.pareto(1.5, n_tail)]))
        interval = resampling_interval(values, 0.0, seed=draw)
        assert interval is not None
        held += interval.lo <= 2.5 <= interval.hi
    assert held >= 150 * lowest


def test_the_floor_leaves_the_rest_out() -> None:
    values = np.sort(1 + np.random.default_rng(0).pareto(2, 300))
    below = np.linspace(1e-9, 0.5, 200)
    assert resampling_interval(np.concatenate([below, values]), 0.5, 3) == resampling_interval(values, 0.0, 3)


def test_same_seed_same_bytes_and_another_seed_another_interval() -> None:
    values = np.sort(1 + np.random.default_rng(0).pareto(2, 300))
    first = resampling_interval(values, 0.0, seed=1)
    assert first == resampling_interval(values, 0.0, seed=1)
    assert first != resampling_interval(values, 0.0, seed=2)


def test_resamples_of_one_value_are_left_out() -> None:
    values = np.append(np.ones(50), 1e12)
    rng = np.random.default_rng(0)
    fits = [fit_power_law(np.sort(values[rng.integers(values.size, size=values.size)])) for _ in range(200)]
    # (50/51)^51 = 36 % of the resamples miss the one other value.
    assert sum(fit is None for fit in fits) == pytest.approx(200 * (50 / 51) ** 51, abs=5 * math.sqrt(200 * 0.23))
    found = np.percentile([fit.alpha for fit in fits if fit], [2.5, 97.5])
    assert resampling_interval(values, 0.0, seed=0, count=200) == pytest.approx(tuple(found), rel=1e-12)


@settings(max_examples=examples(50))
@given(values=tails(), power=st.integers(-60, 60))
def test_scaling_the_weights_changes_nothing(values: np.ndarray, power: int) -> None:
    interval = resampling_interval(values, 0.0, seed=0, count=10)
    assert resampling_interval(values * 2.0**power, 0.0, seed=0, count=10) == interval


@pytest.mark.parametrize("values", NO_TAIL)
def test_no_tail_is_none_and_not_a_number(values: np.ndarray) -> None:
    assert resampling_interval(values, 0.0, seed=0) is None


@pytest.mark.parametrize("values", EXTREME)
def test_extremes_have_an_interval_or_none_without_a_warning(values: np.ndarray) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        interval = resampling_interval(values, 0.0, seed=0, count=50)
    if interval is not None:
        assert 1 < interval.lo <= interval.hi < math.inf

"""All draws in one call against one after the other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.fits.tails import EXTREME, NO_TAIL, tails
from wqscore.fits.power_law import fit_power_law
from wqscore.fits.refit_kernel import draw_worse, power_law_points, refit, resample, resampled_exponents
from wqscore.fits.tail import points_above

SEEDS = st.integers(0, 2**32 - 1)


def check_resamples(values: np.ndarray, seed: int) -> None:
    logs = np.log(values / values[-1])
    drawn = np.random.default_rng(seed).integers(values.size, size=(8, values.size))
    found = resampled_exponents(logs, drawn)
    np.testing.assert_array_equal(found, [refit(resample(logs, each))[0] for each in drawn])


@settings(max_examples=examples(150))
@given(values=tails(), seed=SEEDS)
def test_resamples_together_are_those_one_by_one(values: np.ndarray, seed: int) -> None:
    check_resamples(values, seed)


@settings(max_examples=examples(60))
@given(steps=st.integers(1, 12), size=st.integers(10, 200), seed=SEEDS)
def test_with_many_equal_values_too(steps: int, size: int, seed: int) -> None:
    check_resamples(np.sort(1.0 + np.random.default_rng(seed).integers(0, steps, size)), seed)


@pytest.mark.parametrize("values", [*EXTREME, *NO_TAIL])
def test_extremes_together(values: np.ndarray) -> None:
    points = points_above(values, 0.0)
    if points.size:
        check_resamples(points, 0)


@settings(max_examples=examples(100))
@given(values=tails(), seed=SEEDS, of_body=st.floats(0, 1))
def test_draws_together_are_those_one_by_one(values: np.ndarray, seed: int, of_body: float) -> None:
    fit = fit_power_law(values)
    if fit is None:
        return
    body = np.log(values[: int(of_body * (values.size - 10))] / values[-1])
    n = body.size + fit.n_tail
    ours, own = np.random.default_rng(seed), np.random.default_rng(seed)
    found = draw_worse(ours, body, fit.alpha, fit.n_tail, fit.D, 20)
    expected = []
    for _ in found:
        n_tail = own.binomial(n, fit.n_tail / n)
        points = power_law_points(own.standard_exponential(n_tail), fit.alpha)
        if n_tail < n:
            points = np.concatenate([resample(body, own.integers(body.size, size=n - n_tail)), points])
        distance = refit(points)[1]
        expected.append(-1 if np.isinf(distance) else int(distance >= fit.D))
    assert found.tolist() == expected
    assert ours.bit_generator.state == own.bit_generator.state

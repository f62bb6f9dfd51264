"""What theory says of noise against noise: places, distances and largest eigenvalues of Gaussians and other laws."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import airy

from tests.examples import examples
from wqscore.spectra.jensen_shannon import jensen_shannon_distance
from wqscore.spectra.marchenko_pastur import TRACY_WIDOM_999
from wqscore.spectra.noise import expected_distance, expected_eigenvalues, reach
from wqscore.spectra.spectrum import compute_spectrum

pytestmark = pytest.mark.filterwarnings("error")

LAWS: dict[str, tuple[float, Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]]] = {
    "Gaussian": (0.0, lambda rng, shape: rng.standard_normal(shape)),
    "signs": (-2.0, lambda rng, shape: rng.choice([-1.0, 1.0], shape)),
    "uniform": (-1.2, lambda rng, shape: rng.uniform(-1, 1, shape)),
    "Laplace": (3.0, lambda rng, shape: rng.laplace(size=shape)),
}
SHAPES = [(1, 64, 64), (1, 240, 60), (1, 160, 160), (4, 60, 90)]


def spectra(law: str, shape: tuple[int, int, int], count: int) -> list[np.ndarray]:
    draw = LAWS[law][1]
    return [
        compute_spectrum(draw(np.random.default_rng((seed, *shape)), shape), 0.0).eigenvalues for seed in range(count)
    ]


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("shape", SHAPES)
def test_noise_is_as_far_from_where_it_is_expected_as_theory_says(law: str, shape: tuple[int, int, int]) -> None:
    slices, rows, columns = shape
    kurtosis = LAWS[law][0]
    expected = expected_eigenvalues(rows, columns, slices, kurtosis)
    squared = [jensen_shannon_distance(found, expected) ** 2 for found in spectra(law, shape, 30)]
    assert np.mean(squared) / expected_distance(rows, columns, slices, kurtosis) == pytest.approx(1, abs=0.45)


@pytest.mark.parametrize("law", LAWS)
def test_the_mean_of_many_spectra_is_where_they_are_expected(law: str) -> None:
    means = np.mean(spectra(law, (1, 160, 80), 60), axis=0)
    expected = expected_eigenvalues(160, 80, 1, LAWS[law][0]) * means.sum() / (160 * 80)
    spacing = np.gradient(expected)
    assert (np.abs(means - expected) / spacing)[
        5:-5
    ].max() < 0.35  # kurtosis moves signs by up to 0.3, Laplace by 0.5
    assert np.abs(np.mean((means - expected) / spacing)) < 0.1


@given(st.integers(2, 200), st.integers(2, 200), st.integers(1, 9), st.floats(-2, 30))
@settings(max_examples=examples(40))
def test_places_are_within_the_law_and_in_order(rows: int, columns: int, slices: int, kurtosis: float) -> None:
    small, large = sorted((rows, columns))
    found = expected_eigenvalues(rows, columns, slices, kurtosis)
    assert found.shape == (slices * small,)
    assert (np.diff(found) >= 0).all()
    assert found[0] >= (large**0.5 - small**0.5) ** 2 * (1 - 1e-9) - 1e-9
    assert found[-1] <= (large**0.5 + small**0.5) ** 2 * (1 + 1e-9)
    np.testing.assert_array_equal(found, expected_eigenvalues(columns, rows, slices, kurtosis))
    assert expected_distance(rows, columns, slices, kurtosis) > 0


def test_the_reach_of_many_slices_is_that_of_the_largest() -> None:
    assert reach(1) == TRACY_WIDOM_999
    for slices in (2, 9, 100, 10_000):
        # The Tracy–Widom law's upper tail is half of the integral of Airy's function.
        tails = [quad(lambda x: airy(x)[0] / 2, reach(k), 40)[0] for k in (1, slices)]
        assert tails[0] / tails[1] == pytest.approx(slices, rel=0.1)
    assert [reach(k) for k in (1, 2, 9, 1000)] == sorted(reach(k) for k in (1, 2, 9, 1000))

"""Edge, width and median against published tables and Gaussians; spikes against planted ones."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from tests.examples import examples
from wqscore.spectra.marchenko_pastur import (
    TRACY_WIDOM_999,
    MarchenkoPasturFit,
    bulk_edge,
    fit_marchenko_pastur,
    median_of_law,
)
from wqscore.spectra.spectrum import compute_spectrum

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(autouse=True)
def _one_thread_per_solve() -> Iterator[None]:
    with threadpool_limits(1):
        yield


def fit(matrix: np.ndarray) -> MarchenkoPasturFit:
    slices = matrix[None] if matrix.ndim == 2 else matrix
    spectrum = compute_spectrum(slices, 0.0)
    return fit_marchenko_pastur(spectrum.eigenvalues, spectrum.rows, spectrum.columns, spectrum.slices)


def gaussian(n: int, aspect: int, seed: int) -> np.ndarray:
    return np.random.default_rng((n, aspect, seed)).standard_normal((aspect * n, n))


def planted(n: int, aspect: int, heights: list[float], seed: int) -> np.ndarray:
    """Gaussian noise and orthogonal directions whose eigenvalues come out near `heights` times the edge.

    A direction of strength l (in σ²M) comes out at (1 + l)(1/Q + l)/l (Benaych-Georges & Nadakuditi 2012); inverted.
    """
    rng = np.random.default_rng((1, n, aspect, seed))
    left, _ = np.linalg.qr(rng.standard_normal((aspect * n, len(heights))))
    right, _ = np.linalg.qr(rng.standard_normal((n, len(heights))))
    share = 1 / aspect
    b = np.array(heights) * (1 + share**0.5) ** 2 - 1 - share
    strength = (b + np.sqrt(b**2 - 4 * share)) / 2
    return rng.standard_normal((aspect * n, n)) + (left * np.sqrt(strength * aspect * n)) @ right.T


def airy(z: np.ndarray) -> np.ndarray:
    """Ai(z) for z > 0: e^(−ζ)/π ∫₀^∞ e^(−√z·t²) cos(t³/3) dt with ζ = ⅔z^(3/2) (DLMF 9.5.6 in another variable)."""
    t = np.linspace(0, 6, 601)
    integrand = np.exp(-np.sqrt(z)[..., None] * t**2) * np.cos(t**3 / 3)
    return np.exp(-2 / 3 * z**1.5) / math.pi * np.trapezoid(integrand, t, axis=-1)


def test_3_27_is_the_999_point_of_the_tracy_widom_law() -> None:
    # F₁(s) = det(1 − K) with K(x, y) = ½·Ai((x + y)/2 + s) on x, y > 0 (Ferrari & Spohn 2005).
    nodes, weights = np.polynomial.legendre.leggauss(40)
    x, w = 8 * (nodes + 1), 8 * weights
    for point, probability in ((0.9793, 0.95), (2.0234, 0.99), (TRACY_WIDOM_999, 0.999)):
        kernel = airy((x[:, None] + x[None, :]) / 2 + point) / 2
        distribution = np.linalg.det(np.eye(40) - np.sqrt(w[:, None] * w[None, :]) * kernel)
        assert distribution == pytest.approx(probability, abs=1e-5)


@pytest.mark.parametrize(("rows", "columns"), [(50, 50), (200, 70), (70, 200), (10_000, 1)])
def test_edge_and_width_are_johnstones(rows: int, columns: int) -> None:
    edge, width = bulk_edge(rows, columns)
    a, b = rows**0.5, columns**0.5
    assert edge == pytest.approx((a + b) ** 2, rel=1e-12)
    assert width == pytest.approx((a + b) * (1 / a + 1 / b) ** (1 / 3), rel=1e-12)


def test_the_largest_eigenvalue_of_noise_fluctuates_as_tracy_widom_says() -> None:
    for aspect in (1, 2, 4):
        edge, width = bulk_edge(aspect * 150, 150)
        draws = [(compute_spectrum([gaussian(150, aspect, seed)], 0.0).largest - edge) / width for seed in range(150)]
        assert np.mean(draws) == pytest.approx(-1.2065, abs=0.35)  # TW₁, and finite N lies below it
        assert np.std(draws) == pytest.approx(1.2680, abs=0.25)


@pytest.mark.parametrize(("beta", "omega"), [(0.05, 1.5194), (0.5, 2.1711), (1.0, 2.8582)])
def test_median_agrees_with_gavish_and_donoho(beta: float, omega: float) -> None:
    # Their ω(β) = λ(β)/√median, table IV of "The optimal hard threshold for singular values is 4/√3" (2014), which is
    # good to two in the fourth decimal: at β = 1 the exact value is 2.85836.
    threshold = math.sqrt(2 * (beta + 1) + 8 * beta / (beta + 1 + math.sqrt(beta**2 + 14 * beta + 1)))
    assert threshold / math.sqrt(median_of_law(math.sqrt(beta))) == pytest.approx(omega, abs=2e-4)


def test_median_of_the_square_law_is_that_of_a_quarter_circle() -> None:
    theta = 2.3098814600100575  # θ − sin θ = π/2
    assert theta - math.sin(theta) == pytest.approx(math.pi / 2, abs=1e-14)
    assert median_of_law(1.0) == pytest.approx(2 + 2 * math.cos(theta), abs=1e-6)


@pytest.mark.parametrize(("n", "seeds", "error"), [(200, 60, 0.02), (500, 12, 0.01), (1000, 4, 0.01)])
@pytest.mark.parametrize("aspect", [1, 2, 4])
def test_noise_has_no_spikes_and_the_sigma_it_was_drawn_with(n: int, seeds: int, error: float, aspect: int) -> None:
    fits = [fit(0.02 * gaussian(n, aspect, seed)) for seed in range(seeds)]
    assert np.mean([each.num_spikes == 0 for each in fits]) >= 0.95
    for each in fits:
        assert each.sigma == pytest.approx(0.02, rel=error)
        assert each.softrank == pytest.approx(1, abs=0.1)


def test_noise_at_2000() -> None:
    found = fit(gaussian(2000, 1, 0))
    assert found.num_spikes == 0
    assert found.sigma == pytest.approx(1, rel=0.01)
    assert found.bulk_max == pytest.approx(8000, rel=0.02)


@pytest.mark.parametrize("heights", [[1.5] * 5, [10.0] * 5, [1e3] * 5, [1e4] * 5, [1.5, 1e4], [1e4, 1e3, 10.0, 1.5]])
@pytest.mark.parametrize(("n", "aspect", "error"), [(200, 1, 0.02), (200, 4, 0.02), (500, 1, 0.01), (500, 2, 0.01)])
def test_planted_spikes_are_found_and_leave_sigma_alone(
    n: int, aspect: int, error: float, heights: list[float]
) -> None:
    for seed in range(3):
        found = fit(planted(n, aspect, heights, seed))
        assert found.num_spikes == len(heights)
        assert found.sigma == pytest.approx(1, rel=error)
        assert 1 / found.softrank == pytest.approx(max(heights), rel=0.25)


def test_a_third_of_the_spectrum_may_be_spikes() -> None:
    found = fit(planted(300, 1, [30.0 + k for k in range(100)], 0))
    assert found.num_spikes == 100
    assert found.sigma == pytest.approx(1, rel=0.02)


def test_slices_are_one_bulk() -> None:
    kernel = np.stack([gaussian(64, 2, seed) for seed in range(9)])
    noise = fit(kernel)
    assert noise.num_spikes == 0
    assert noise.sigma == pytest.approx(1, rel=0.02)
    kernel[4] = planted(64, 2, [2.0, 3.0, 50.0], 0)
    spiked = fit(kernel)
    assert spiked.num_spikes == 3
    assert spiked.sigma == pytest.approx(1, rel=0.02)


@settings(max_examples=examples(30))
@given(st.integers(3, 60), st.integers(3, 60), st.integers(0, 99), st.integers(-140, 140))
def test_the_fit_scales_with_the_weights(rows: int, columns: int, seed: int, power: int) -> None:
    matrix = np.random.default_rng(seed).standard_t(3, (rows, columns))
    plain, scaled = fit(matrix), fit(matrix.T * 10.0**power)
    assert scaled.num_spikes == plain.num_spikes
    assert scaled.softrank == pytest.approx(plain.softrank, rel=1e-6)
    assert scaled.sigma == pytest.approx(plain.sigma * 10.0**power, rel=1e-6)
    assert scaled.bulk_max == pytest.approx(plain.bulk_max * 10.0 ** (2 * power), rel=1e-6)


def test_any_spectrum_settles() -> None:
    rng = np.random.default_rng(5)
    for trial in range(400):
        n = int(rng.integers(1, 80))
        rows = n * int(rng.integers(1, 6))
        tails = (rng.pareto(0.5, n) + 1, np.exp(5 * rng.standard_normal(n)), rng.random(n), rng.beta(0.2, 0.2, n))
        eigenvalues = np.sort(tails[trial % 4])
        found = fit_marchenko_pastur(eigenvalues, rows, n)
        if math.isnan(found.sigma):  # more than half of it below the eigensolver's error
            assert np.median(eigenvalues) <= n * 2.3e-16 * eigenvalues[-1]
            continue
        k = int(found.num_spikes)
        assert 0 <= k < n
        assert found.sigma**2 == pytest.approx(eigenvalues[: n - k].sum() / ((n - k) * (rows - k)), rel=1e-9)
        edge, width = bulk_edge(rows, n)
        assert np.count_nonzero(eigenvalues > found.sigma**2 * (edge + TRACY_WIDOM_999 * width)) == k


NO_FIT = pytest.approx((math.nan,) * 4, nan_ok=True)


def fields(found: MarchenkoPasturFit) -> tuple[float, ...]:
    return (found.sigma, found.bulk_max, found.num_spikes, found.softrank)


@pytest.mark.parametrize("n", [1, 2, 60])
def test_nothing_to_fit_is_nan(n: int) -> None:
    assert fields(fit_marchenko_pastur(np.zeros(n), n, n)) == NO_FIT
    assert fields(fit_marchenko_pastur(np.empty(0), n, n)) == NO_FIT
    assert fields(fit_marchenko_pastur(np.full(n, np.inf), n, n)) == NO_FIT


def test_a_matrix_of_low_rank_has_no_bulk() -> None:
    rng = np.random.default_rng(6)
    low_rank = rng.standard_normal((300, 10)) @ rng.standard_normal((10, 200))
    assert fields(fit(low_rank)) == NO_FIT
    stored = fit(low_rank.astype(np.float16))  # rounding noise is a bulk
    assert stored.num_spikes >= 10
    assert 0 < stored.sigma < 1e-3 * low_rank.std()


@pytest.mark.parametrize(
    ("eigenvalues", "rows"),
    [
        (np.array([7.0]), 1),
        (np.array([7.0]), 10_000),
        (np.ones(60), 60),
        (np.full(60, 5e-324), 60),
        (np.linspace(1e-310, 1e-308, 60), 90),
        (np.linspace(1e300, 1e306, 60), 90),
        (np.append(np.linspace(1, 4, 59), 4e12), 120),
        (np.sort(np.random.default_rng(7).random(5)), 50_000),
    ],
)
def test_strange_spectra_give_finite_numbers(eigenvalues: np.ndarray, rows: int) -> None:
    found = fit_marchenko_pastur(eigenvalues, rows, eigenvalues.size)
    assert all(math.isfinite(value) for value in fields(found))
    assert found.num_spikes == (1 if eigenvalues[-1] == 4e12 else found.num_spikes)
    assert found.softrank * eigenvalues[-1] == pytest.approx(found.bulk_max, rel=1e-9, abs=1e-322)

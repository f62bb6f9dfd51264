"""The sums against their written-out definitions; the screens' verdicts against real shuffles."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from tests.examples import examples
from wqscore.spectra.marchenko_pastur import fit_marchenko_pastur
from wqscore.spectra.screening import (
    Entries,
    corners,
    correlated,
    correlation,
    measure,
    predict_traps,
    second_moment,
    uneven_magnitudes,
)
from wqscore.spectra.spectrum import compute_spectrum

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(autouse=True)
def _one_thread_per_solve() -> Iterator[None]:
    with threadpool_limits(1):
        yield


def entries_of(weights: np.ndarray) -> Entries:
    return measure(weights, compute_spectrum(weights, 0.0))


def correlation_of(weights: np.ndarray) -> float:
    spectrum = compute_spectrum(weights, 0.0)
    return correlation(spectrum, measure(weights, spectrum))


def sum_over_corners(weights: np.ndarray) -> float:
    """Σ w_ij·w_il·w_kj·w_kl over i ≠ k and j ≠ l of each slice, term by term."""
    _, rows, columns = weights.shape
    return sum(
        float(w[i, j] * w[i, m] * w[k, j] * w[k, m])
        for w in weights
        for i in range(rows)
        for k in range(rows)
        for j in range(columns)
        for m in range(columns)
        if i != k and j != m
    )


@given(st.integers(0, 10**6), st.integers(1, 3), st.integers(1, 6), st.integers(1, 6))
@settings(max_examples=examples(25))
def test_the_correlation_is_the_sum_over_corners(seed: int, slices: int, rows: int, columns: int) -> None:
    weights = np.random.default_rng(seed).standard_normal((slices, rows, columns))
    energies = (weights**2).sum(axis=(1, 2))
    rows_squared, columns_squared = ((weights**2).sum(axis=axis) for axis in (2, 1))
    a = (rows_squared**2).sum(axis=1) / energies**2
    b = (columns_squared**2).sum(axis=1) / energies**2
    expected = sum_over_corners(weights) / (2 * np.sqrt(((a * b * energies**2) ** 2).sum()))
    assert correlation_of(weights) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("slices", [1, 4])
@pytest.mark.parametrize("scaled", [False, True])
def test_signs_alone_give_the_deviation_that_it_is_measured_in(slices: int, scaled: bool) -> None:
    rng = np.random.default_rng(0)
    scales = np.exp(rng.standard_normal((1, 60, 1)) + rng.standard_normal((1, 1, 40))) if scaled else 1.0
    values = [correlation_of(scales * rng.choice([-1.0, 1.0], (slices, 60, 40))) for _ in range(400)]
    assert abs(np.mean(values)) < 4 / np.sqrt(400)
    # Scales that few rows and columns share make it an overestimate: it counts a row with itself.
    assert (0.3 if scaled else 0.9) < np.std(values) < 1.1


NOISE: dict[str, Callable[[np.random.Generator, tuple[int, int, int]], np.ndarray]] = {
    "gaussian": lambda rng, shape: rng.standard_normal(shape),
    "t 2.5": lambda rng, shape: rng.standard_t(2.5, shape),
    "t 4": lambda rng, shape: rng.standard_t(4, shape),
    "sparse": lambda rng, shape: rng.standard_normal(shape) * (rng.random(shape) < 0.01),
    "outliers": lambda rng, shape: np.where(rng.random(shape) < 5 / np.prod(shape), 40.0, rng.standard_normal(shape)),
    "mean": lambda rng, shape: rng.standard_normal(shape) + 0.1,
    "positive": lambda rng, shape: np.abs(rng.standard_normal(shape)),
}


@pytest.mark.parametrize("kind", NOISE)
@pytest.mark.parametrize("scaled", [False, True])
def test_noise_is_not_correlated_whatever_its_tails_and_scales(kind: str, scaled: bool) -> None:
    for seed, shape in enumerate([(1, 50, 50), (1, 100, 200), (1, 300, 150), (9, 64, 32), (1, 800, 100)]):
        rng = np.random.default_rng(seed)
        weights = NOISE[kind](rng, shape)
        if scaled:
            weights *= np.exp(rng.standard_normal((1, shape[1], 1)) + rng.standard_normal((1, 1, shape[2])))
        spectrum = compute_spectrum(weights, 0.0)
        entries = measure(weights, spectrum)
        assert not correlated(spectrum, entries)
        if kind not in {"mean", "positive"}:
            assert abs(correlation(spectrum, entries)) < 5


@pytest.mark.parametrize("scaled", [False, True])
def test_correlation_between_rows_shows_whatever_the_scales(scaled: bool) -> None:
    rng = np.random.default_rng(3)
    weights = rng.standard_normal((1, 300, 200))
    weights[0, 1:] += 0.8 * weights[0, :-1]
    if scaled:
        weights *= np.exp(rng.standard_normal((1, 300, 1)) / 4)
    assert correlation_of(weights) > 20
    orthogonal, _ = np.linalg.qr(rng.standard_normal((200, 200)))
    assert correlation_of(orthogonal[None]) < -40  # as different from noise, the other way


def test_a_correlation_that_a_few_matrices_of_noise_reach_is_left_to_the_shuffles() -> None:
    rng = np.random.default_rng(4)
    noise = rng.standard_normal((1, 201, 150))
    seen = set()
    for share in np.linspace(0.05, 0.4, 15):
        weights = noise[:, 1:] + share * noise[:, :-1]
        spectrum = compute_spectrum(weights, 0.0)
        entries = measure(weights, spectrum)
        verdict = correlated(spectrum, entries)
        assert verdict is (correlation(spectrum, entries) > 10)
        seen.add(verdict)
    assert seen == {True, False}


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, ml_dtypes.bfloat16])
def test_neither_data_type_nor_layout_change_the_sums(dtype: type) -> None:
    whole = np.random.default_rng(0).integers(-9, 10, (2, 700, 400)).astype(np.float64)  # each type holds them
    expected = entries_of(whole)
    stored = np.asfortranarray(whole.astype(dtype))
    assert measure(stored, compute_spectrum(stored, 0.0)) == expected
    shares = whole**2 / (whole**2).sum()
    assert expected.largest == pytest.approx(shares.max(), rel=1e-12)
    assert expected.mean == pytest.approx(whole.mean() ** 2 / (whole**2).mean(), rel=1e-9)
    assert expected.fourth == pytest.approx((shares**2).sum(), rel=1e-12)
    lines = (shares.sum(axis=1) ** 2).sum() + (shares.sum(axis=2) ** 2).sum()
    assert expected.lines == pytest.approx(lines, rel=1e-12)


@pytest.mark.parametrize("factor", [2.0**-500, 1024.0, 2.0**500])
def test_nothing_depends_on_the_unit(factor: float) -> None:
    weights = np.random.default_rng(0).standard_normal((1, 60, 50))
    assert correlation_of(weights * factor) == pytest.approx(correlation_of(weights), rel=1e-6)
    spectrum = compute_spectrum(weights, 0.0, scale=0.5)
    assert correlation(spectrum, measure(weights, spectrum)) == pytest.approx(correlation_of(weights), rel=1e-6)


def shuffles_with_spikes(weights: np.ndarray, count: int, seed: int) -> list[bool]:
    rng = np.random.default_rng(seed)
    spikes = []
    for _ in range(count):
        spectrum = compute_spectrum(rng.permutation(weights.reshape(-1)).reshape(weights.shape), 0.0)
        fit = fit_marchenko_pastur(spectrum.eigenvalues, spectrum.rows, spectrum.columns, spectrum.slices)
        spikes.append(fit.num_spikes > 0)
    return spikes


def test_predicted_traps_are_those_that_shuffles_have() -> None:
    counts = {True: 0, False: 0, None: 0}
    for seed in range(240):
        rng = np.random.default_rng(seed)
        rows, columns = rng.choice([32, 64, 100, 150], 2)
        weights = NOISE[list(NOISE)[seed // 2 % 6]](rng, (1, rows, columns))
        if seed % 2:
            weights[0, 0, 0] = rng.uniform(0.5, 5) * weights.std() * (rows * columns) ** 0.25
        predicted = predict_traps(entries_of(weights))
        counts[predicted] += 1
        if predicted is not None:
            assert (sum(shuffles_with_spikes(weights, 6, seed)) > 3) is predicted, (seed, rows, columns)
    assert counts[True] >= 20
    assert counts[False] >= 20


@pytest.mark.parametrize(
    ("share", "predicted"),
    [(0.5, False), (0.9, False), (1.3, False), (1.7, None), (4.0, True), (1e6, True), (1e18, None)],
)
def test_one_entry_in_gaussian_noise(share: float, predicted: bool | None) -> None:
    weights = np.random.default_rng(1).standard_normal((1, 400, 400)).clip(-2, 2)
    weights[0, 3, 7] = np.sqrt(share * 400) * weights.std()
    assert predict_traps(entries_of(weights)) is predicted


@pytest.mark.parametrize(("strength", "predicted"), [(0.5, False), (1.2, False), (1.6, None), (3.0, True)])
def test_a_mean_in_gaussian_noise(strength: float, predicted: bool | None) -> None:
    noise = np.random.default_rng(2).standard_normal((1, 200, 400)).clip(-2, 2)
    weights = noise / noise.std() + np.sqrt(strength / np.sqrt(200 * 400))
    assert predict_traps(entries_of(weights)) is predicted
    if predicted is not None:
        assert (sum(shuffles_with_spikes(weights, 6, 0)) > 3) is predicted


def test_heavy_tails_without_a_large_entry_move_the_edge() -> None:
    rng = np.random.default_rng(0)
    ternary = rng.choice([-1.0, 0.0, 1.0], (1, 300, 300), p=[0.01, 0.98, 0.01])  # each entry far below a spike
    assert sum(shuffles_with_spikes(ternary, 6, 0)) > 3
    for share, predicted in ((0.02, None), (0.06, None), (0.1, False)):
        ternary = rng.choice([-1.0, 0.0, 1.0], (1, 300, 300), p=[share / 2, 1 - share, share / 2])
        assert predict_traps(entries_of(ternary)) is predicted
        if predicted is not None:
            assert (sum(shuffles_with_spikes(ternary, 6, 1)) > 3) is predicted


def test_nothing_is_predicted_of_small_and_near_empty_matrices() -> None:
    one = np.zeros((1, 40, 40))
    one[0, 1, 2] = 1
    noise = np.random.default_rng(0).standard_normal((1, 8, 400))
    for weights in (one, noise, np.ones((1, 40, 40))):
        assert predict_traps(entries_of(weights)) is None
    few = np.zeros((1, 100, 100))
    few[0, :10, 0] = np.arange(1, 11)
    assert predict_traps(entries_of(few)) is None


@pytest.mark.parametrize("shape", [(1, 60, 40), (4, 20, 30)])
@pytest.mark.parametrize("kind", ["gaussian", "t 4", "sparse"])
def test_unevenness_is_measured_in_the_deviations_of_shuffles(kind: str, shape: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(5)
    weights = NOISE[kind](rng, shape)
    found = []
    for _ in range(300):
        entries = entries_of(rng.permutation(weights.reshape(-1)).reshape(shape))
        found.append((entries.uneven_rows, entries.uneven_columns, entries.uneven_slices))
    uneven = np.array(found)[:, : 3 if shape[0] > 1 else 2]
    assert (np.abs(uneven.mean(axis=0)) < 0.25).all()
    assert ((uneven.std(axis=0) > 0.6) & (uneven.std(axis=0) < 1.25)).all()


def test_scales_of_rows_show_in_magnitudes_however_heavy_the_tails() -> None:
    rng = np.random.default_rng(6)
    noise = rng.standard_t(2.5, (9, 96, 64))
    assert uneven_magnitudes(noise) < 5
    assert uneven_magnitudes(noise * np.exp(0.3 * rng.standard_normal((9, 96, 1)))) > 15
    assert uneven_magnitudes(np.ones((1, 20, 30))) == 0


def test_the_second_moment_is_compared_with_that_of_shuffles() -> None:
    rng = np.random.default_rng(7)
    weights = rng.laplace(size=(1, 60, 80)) * np.exp(0.2 * rng.standard_normal((1, 60, 1)))
    of_shuffles = []
    for _ in range(300):
        shuffle = rng.permutation(weights.reshape(-1)).reshape(weights.shape)
        spectrum = compute_spectrum(shuffle, 0.0)
        entries = measure(shuffle, spectrum)
        of_shuffles.append((second_moment(spectrum, entries), corners(spectrum, entries)))
    means, deviations = np.mean(of_shuffles, axis=0), np.std(of_shuffles, axis=0)
    assert (np.abs(means) < 0.3).all()
    assert deviations[1] == pytest.approx(1, abs=0.15)
    spectrum = compute_spectrum(weights, 0.0)
    assert second_moment(spectrum, measure(weights, spectrum)) > 5

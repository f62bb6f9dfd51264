"""Shuffles: the same entries, an even choice of permutation, and nothing that depends on order or layout."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import ml_dtypes
import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from wqscore.spectra.shuffling import Shuffles

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(autouse=True)
def _one_thread_per_solve() -> Iterator[None]:
    with threadpool_limits(1):
        yield


WEIGHTS = np.random.default_rng(0).standard_normal((3, 25, 40)).astype(np.float32)


def shuffled(weights: np.ndarray, seed: int = 0, k: int = 0) -> np.ndarray:
    return Shuffles(weights, 2.0**-24, seed).matrix(k)


def test_a_shuffle_has_the_same_entries_in_another_order() -> None:
    before = WEIGHTS.copy()
    result = shuffled(WEIGHTS)
    assert np.array_equal(WEIGHTS, before)
    assert result.shape == (3, 40, 25)
    np.testing.assert_array_equal(np.sort(result, axis=None), np.sort(WEIGHTS, axis=None))
    assert np.mean(result == WEIGHTS.transpose(0, 2, 1)) < 0.01


def test_entries_move_between_slices() -> None:
    marked = np.zeros((4, 30, 30), dtype=np.float32)
    marked[0] = 1
    per_slice = shuffled(marked).sum(axis=(1, 2))
    assert (np.abs(per_slice - 225) < 60).all()  # hypergeometric, standard deviation 11


def test_every_permutation_is_as_likely() -> None:
    drawn = Counter(tuple(shuffled(np.arange(3.0).reshape(1, 3, 1), 1, k).ravel()) for k in range(6000))
    assert len(drawn) == 6
    chi_squared = sum((count - 1000) ** 2 / 1000 for count in drawn.values())
    assert chi_squared < 20.5  # 99.9 % point with 5 degrees of freedom


def test_seed_and_number_each_make_another_shuffle() -> None:
    results = {shuffled(WEIGHTS, seed, k).tobytes() for seed in range(2) for k in range(2)}
    assert len(results) == 4


def test_entries_move_all_over_a_large_matrix() -> None:
    count = 1_000_000
    result = shuffled(np.arange(count, dtype=np.float64).reshape(1, -1, 1)).ravel()
    np.testing.assert_array_equal(np.sort(result), np.arange(count))
    assert np.mean(result == np.arange(count)) < 1e-4
    assert abs(np.corrcoef(result, np.arange(count))[0, 1]) < 0.005
    # Of neighbours before, and so of the same part by chance alone, distances are those of random places.
    places = np.argsort(result)
    assert np.abs(np.diff(places)).mean() == pytest.approx(count / 3, rel=0.01)


def test_neither_order_nor_threads_change_a_shuffle() -> None:
    jobs = [(seed, k) for seed in (0, 5) for k in range(8)]
    serial = [shuffled(WEIGHTS, *job).tobytes() for job in jobs]
    with ThreadPoolExecutor(4) as pool:
        threaded = list(pool.map(lambda job: shuffled(WEIGHTS, *job).tobytes(), reversed(jobs)))
    assert threaded == serial[::-1]


def test_a_square_matrix_stored_transposed_has_the_same_shuffles() -> None:
    square = WEIGHTS[:, :, :25]
    np.testing.assert_array_equal(shuffled(square), shuffled(square.transpose(0, 2, 1)))


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, ml_dtypes.bfloat16])
def test_however_the_same_weights_are_stored_the_shuffles_are_the_same(dtype: type) -> None:
    whole = np.random.default_rng(1).permutation(240).reshape(1, 12, 20)  # that each data type holds exactly
    expected = shuffled(whole.astype(np.float64), 3, 2)
    stored = whole.astype(dtype)
    for same in (stored, np.asfortranarray(stored), stored.transpose(0, 2, 1)):
        np.testing.assert_array_equal(shuffled(same, 3, 2), expected)


def test_spectra_are_those_of_the_shuffles() -> None:
    shuffles = Shuffles(WEIGHTS, 2.0**-24, 7, scale=0.5)
    for k, spectrum in enumerate(shuffles.first(3)):
        slices = shuffled(WEIGHTS, 7, k).astype(np.float64)
        values = np.sort(np.concatenate([np.linalg.svd(each, compute_uv=False) for each in slices])) ** 2
        np.testing.assert_allclose(spectrum.eigenvalues, values / 2, rtol=1e-9)
        assert (spectrum.rows, spectrum.columns, spectrum.slices) == (40, 25, 3)


def test_spectra_are_computed_one_at_a_time_and_once() -> None:
    shuffles = Shuffles(WEIGHTS, 0.0, 0)
    assert shuffles[5] is shuffles.first(6)[5]
    assert sorted(shuffles.spectra) == list(range(6))


@pytest.mark.parametrize("shape", [(40, 3, 3), (20, 7, 30), (16, 16, 16)])
def test_many_small_slices_are_solved_in_stacks(shape: tuple[int, int, int]) -> None:
    weights = np.random.default_rng(2).standard_normal(shape).astype(np.float32)
    shuffles = Shuffles(weights, 2.0**-24, 7, scale=0.5)
    slices = shuffled(weights, 7, 1).astype(np.float64)
    values = np.sort([np.linalg.svd(each, compute_uv=False) for each in slices], axis=1) ** 2 / 2
    largest = values.max()
    assert shuffles.has_small_slices
    np.testing.assert_allclose(shuffles.of_slices(1), values, rtol=1e-9, atol=1e-13 * largest)
    np.testing.assert_allclose(shuffles[1].eigenvalues, np.sort(values, axis=None), rtol=1e-9, atol=1e-13 * largest)

"""Shuffles: the same entries, an even choice of permutation, and nothing that depends on order or layout."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import ml_dtypes
import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from wqscore.spectra.eigenvalues import gram
from wqscore.spectra.shuffling import (
    LANCZOS_ERROR,
    largest_eigenvalue,
    shuffled,
    shuffled_largest,
    shuffled_spectra,
)

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(autouse=True)
def _one_thread_per_solve() -> Iterator[None]:
    with threadpool_limits(1):
        yield


WEIGHTS = np.random.default_rng(0).standard_normal((3, 40, 25)).astype(np.float32)


def test_a_shuffle_has_the_same_entries_in_another_order() -> None:
    before = WEIGHTS.copy()
    result = shuffled(WEIGHTS, 0, "conv.weight", 0)
    assert np.array_equal(WEIGHTS, before)
    assert result.shape == WEIGHTS.shape
    assert result.dtype == WEIGHTS.dtype
    np.testing.assert_array_equal(np.sort(result, axis=None), np.sort(WEIGHTS, axis=None))
    assert np.mean(result == WEIGHTS) < 0.01


def test_entries_move_between_slices() -> None:
    marked = np.zeros((4, 30, 30), dtype=np.float32)
    marked[0] = 1
    per_slice = shuffled(marked, 0, "conv.weight", 0).sum(axis=(1, 2))
    assert (np.abs(per_slice - 225) < 60).all()  # hypergeometric, standard deviation 11


def test_every_permutation_is_as_likely() -> None:
    drawn = Counter(tuple(shuffled(np.arange(3), 1, "w", k)) for k in range(6000))
    assert len(drawn) == 6
    chi_squared = sum((count - 1000) ** 2 / 1000 for count in drawn.values())
    assert chi_squared < 20.5  # 99.9 % point with 5 degrees of freedom


def test_seed_name_and_number_each_make_another_shuffle() -> None:
    arguments = [(0, "a.weight", 0), (1, "a.weight", 0), (0, "b.weight", 0), (0, "a.weight", 1), (1, "b.weight", 1)]
    results = {shuffled(WEIGHTS, *each).tobytes() for each in arguments}
    assert len(results) == len(arguments)


def test_neither_order_nor_threads_change_a_shuffle() -> None:
    jobs = [(seed, name, k) for seed in (0, 5) for name in ("a", "b", "ü") for k in range(4)]
    serial = [shuffled(WEIGHTS, *job).tobytes() for job in jobs]
    with ThreadPoolExecutor(4) as pool:
        threaded = list(pool.map(lambda job: shuffled(WEIGHTS, *job).tobytes(), reversed(jobs)))
    assert threaded == serial[::-1]


@pytest.mark.parametrize("dtype", [np.float64, np.float16, ml_dtypes.bfloat16])
def test_neither_data_type_nor_layout_change_the_permutation(dtype: type) -> None:
    order = np.arange(240).reshape(1, 12, 20)  # whole numbers that each data type holds exactly
    expected = shuffled(order, 3, "w", 2)
    for same in (order.astype(dtype), np.asfortranarray(order.astype(dtype))):
        result = shuffled(same, 3, "w", 2)
        assert result.dtype == dtype
        np.testing.assert_array_equal(result.astype(np.int64), expected)


def test_spectra_are_those_of_the_shuffles() -> None:
    spectra = list(shuffled_spectra(WEIGHTS, 2.0**-24, 7, "conv.weight", count=3, scale=0.5))
    assert len(spectra) == 3
    for k, spectrum in enumerate(spectra):
        slices = shuffled(WEIGHTS, 7, "conv.weight", k).astype(np.float64)
        values = np.sort(np.concatenate([np.linalg.svd(each, compute_uv=False) for each in slices])) ** 2
        np.testing.assert_allclose(spectrum.eigenvalues, values / 2, rtol=1e-9)
        assert (spectrum.rows, spectrum.columns, spectrum.slices) == (40, 25, 3)
    largest = list(shuffled_largest(WEIGHTS, 7, "conv.weight", count=3, scale=0.5))
    assert largest == pytest.approx([spectrum.largest for spectrum in spectra], rel=LANCZOS_ERROR)


def test_shuffles_are_computed_one_at_a_time() -> None:
    spectra = shuffled_spectra(WEIGHTS, 0.0, 0, "w", count=10**9)
    assert next(spectra).total == pytest.approx(float((WEIGHTS.astype(np.float64) ** 2).sum()))


@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (30, 1), (2, 2), (120, 120), (400, 150), (150, 400), (450, 450)])
def test_lanczos_finds_the_largest_eigenvalue(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(shape)
    for matrix in (
        rng.standard_normal(shape),
        rng.standard_t(1.2, shape),
        np.ones(shape),
        np.eye(*shape),
        rng.standard_normal((shape[0], 1)) * rng.standard_normal((1, shape[1])),
        1e-150 * rng.standard_normal(shape),
        1e150 * rng.standard_normal(shape),
    ):
        expected = np.linalg.norm(matrix / np.abs(matrix).max(), 2) ** 2 * np.abs(matrix).max() ** 2
        assert largest_eigenvalue(gram(matrix)) == pytest.approx(expected, rel=LANCZOS_ERROR)


@pytest.mark.parametrize("gap", [1e-2, 1e-4, 1e-6, 1e-9, 0.0])
def test_lanczos_where_the_two_largest_are_close(gap: float) -> None:
    eigenvalues = np.concatenate([[1.0, 1.0 - gap], np.linspace(0, 0.9, 498)])
    assert largest_eigenvalue(np.diag(eigenvalues)) == pytest.approx(1, rel=1e-8)


def test_lanczos_on_a_dense_upper_end() -> None:
    assert largest_eigenvalue(np.diag(np.linspace(0, 1, 2000))) == pytest.approx(1, rel=LANCZOS_ERROR)


def test_lanczos_on_nothing_and_on_what_is_not_finite() -> None:
    assert largest_eigenvalue(np.zeros((5, 5))) == 0
    assert largest_eigenvalue(np.full((3, 3), 5e-324)) == pytest.approx(1.5e-323)
    for bad in (np.nan, np.inf):
        product = np.eye(4)
        product[2, 2] = bad
        assert math.isnan(largest_eigenvalue(product))
    assert math.isnan(next(shuffled_largest(np.full((1, 4, 4), 1e200), 0, "w")))

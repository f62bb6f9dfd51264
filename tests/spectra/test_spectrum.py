"""Eigenvalues against an SVD and closed forms; states, floor and layouts."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wqscore.spectra.eigenvalues import BLOCK_ROWS, gram
from wqscore.spectra.spectrum import compute_spectrum

F32 = 2.0**-24


@pytest.mark.parametrize("shape", [(64, 64), (300, 40), (40, 300), (BLOCK_ROWS * 2 + 17, 30), (1, 50), (50, 1)])
def test_eigenvalues_are_squared_singular_values(shape: tuple[int, int]) -> None:
    matrix = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    expected = np.linalg.svd(matrix.astype(np.float64), compute_uv=False)[::-1] ** 2
    eigenvalues = compute_spectrum([matrix], F32).eigenvalues
    assert eigenvalues.shape == (min(shape),)
    np.testing.assert_allclose(eigenvalues, expected, rtol=1e-9, atol=1e-13 * expected[-1])


def test_orthogonal_times_diagonal_has_the_known_spectrum() -> None:
    rng = np.random.default_rng(1)
    q, _ = np.linalg.qr(rng.standard_normal((200, 80)))
    p, _ = np.linalg.qr(rng.standard_normal((80, 80)))
    sigma = np.linspace(1, 9, 80)
    np.testing.assert_allclose(compute_spectrum([(q * sigma) @ p], 0.0).eigenvalues, sigma**2, rtol=1e-11)


@settings(max_examples=examples(50))
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 99))
def test_memory_layout_and_transposition_keep_the_bits(rows: int, columns: int, seed: int) -> None:
    matrix = np.random.default_rng(seed).standard_normal((rows, columns)).astype(np.float32)
    reference = compute_spectrum([matrix], F32).eigenvalues
    wide = np.zeros((rows, columns + 3), dtype=np.float32)
    wide[:, :columns] = matrix
    for same in (np.asfortranarray(matrix), wide[:, :columns], matrix.astype(np.float64)):
        assert compute_spectrum([same], F32).eigenvalues.tobytes() == reference.tobytes()
    transposed = compute_spectrum([np.ascontiguousarray(matrix.T)], F32).eigenvalues
    if rows != columns:
        assert transposed.tobytes() == reference.tobytes()
    np.testing.assert_allclose(transposed, reference, rtol=1e-10, atol=1e-14 * reference[-1])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_one_bad_entry_is_non_finite(bad: float) -> None:
    matrix = np.ones((20, 30), dtype=np.float32)
    matrix[3, 4] = bad
    spectrum = compute_spectrum([matrix], F32)
    assert (spectrum.state, spectrum.eigenvalues.size, spectrum.rows, spectrum.columns) == ("non-finite", 0, 20, 30)


def test_weights_too_large_to_square_are_non_finite_without_a_warning(recwarn: pytest.WarningsRecorder) -> None:
    assert compute_spectrum([np.full((5, 5), 1e200)], 0.0).state == "non-finite"
    assert not recwarn.list


def test_zero_and_what_squares_to_zero() -> None:
    assert compute_spectrum([np.zeros((9, 5))], 0.0).state == "zero"
    assert compute_spectrum([np.full((9, 5), 1e-300)], 0.0).state == "zero"


def test_slices_are_pooled_and_keep_the_norm() -> None:
    kernel = np.random.default_rng(2).standard_normal((9, 16, 8))
    spectrum = compute_spectrum(kernel, 0.0)
    expected = np.sort(np.concatenate([np.linalg.svd(k, compute_uv=False) ** 2 for k in kernel]))
    np.testing.assert_allclose(spectrum.eigenvalues, expected, rtol=1e-9)
    assert spectrum.total == pytest.approx(float((kernel**2).sum()), rel=1e-12)
    assert spectrum.slices == 9


@pytest.mark.parametrize(
    ("dtype", "bits"), [(np.float64, 53), (np.float32, 24), (np.float16, 11), (ml_dtypes.bfloat16, 8)]
)
def test_a_rank_10_matrix_has_rank_10_however_it_is_stored(dtype: type, bits: int) -> None:
    rng = np.random.default_rng(3)
    low_rank = (rng.standard_normal((512, 10)) @ rng.standard_normal((10, 256))).astype(dtype)
    full_rank = rng.standard_normal((512, 256)).astype(dtype)
    counts = []
    for matrix in (low_rank, full_rank):
        spectrum = compute_spectrum([matrix], 2.0**-bits)
        counts.append(int((spectrum.eigenvalues > spectrum.floor).sum()))
    assert counts[0] == 10
    assert counts[1] >= 254  # docs/metrics.md: full-rank Gaussians lose at most 2 of 256


def test_the_small_end_is_exact_where_it_is_asked_for() -> None:
    sigma = 10.0 ** -np.arange(12)
    matrix = np.diag(sigma)
    exact = compute_spectrum([matrix], 0.0, exact_small_end=True).eigenvalues
    np.testing.assert_allclose(exact, sigma[::-1] ** 2, rtol=1e-8)


def test_gram_takes_the_smaller_side() -> None:
    assert gram(np.ones((3, 7))).shape == gram(np.ones((7, 3))).shape == (3, 3)

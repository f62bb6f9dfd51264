"""Eigenvalues through torch against numpy's SVD and LAPACK; torch's own CPU stands in for a GPU but in one test."""

from __future__ import annotations

import warnings
from itertools import product

import ml_dtypes
import numpy as np
import pytest

from tests.oracles import Oracle
from wqscore.checkpoints.adapters.low_rank import LowRank
from wqscore.errors import CheckpointError
from wqscore.spectra.eigenvalues import BLOCK_ROWS
from wqscore.spectra.on_device import eigenvalues_on, solver_on
from wqscore.spectra.spectrum import compute_spectrum, low_rank_spectrum

torch = Oracle("torch")

pytestmark = pytest.mark.oracle("torch")

#: As torch's name of it: `cpu` alone means LAPACK to all but `eigenvalues_on`.
DEVICE = "cpu:0"
SHAPES = [
    (64, 64),
    (300, 40),
    (40, 300),
    (BLOCK_ROWS * 2 + 17, 30),
    (30, BLOCK_ROWS + 1),
    (1, 50),
    (50, 1),
    (400, 400),
]
DTYPES = [np.float64, np.float32, np.float16, ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ">f4", ">f8", "i4"]


def close(found: np.ndarray | None, matrix: np.ndarray) -> bool:
    """Whether eigenvalues are those of a matrix, but for what an eigensolver may err.

    That is N·eps times the largest, 0.9e-13 of it for the largest side here.
    """
    assert found is not None
    expected = np.linalg.svd(matrix.astype(np.float64), compute_uv=False)[::-1] ** 2
    solved = compute_spectrum([matrix], 0.0).eigenvalues
    assert found.dtype == np.float64
    assert found.shape == expected.shape == solved.shape
    assert (found >= 0).all()
    return all(np.abs(found - other).max() <= 1e-13 * expected[-1] for other in (expected, solved))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_eigenvalues_are_those_of_numpy_and_lapack(shape: tuple[int, int], dtype: type | str) -> None:
    matrix = (3 * np.random.default_rng(0).standard_normal(shape)).astype(dtype)
    found = eigenvalues_on(DEVICE, matrix)
    assert close(found, matrix)
    assert close(eigenvalues_on(DEVICE, matrix.T), matrix)
    assert close(eigenvalues_on(DEVICE, np.asfortranarray(matrix)), matrix)


def test_what_can_not_be_written_to_is_taken_without_a_warning() -> None:
    matrix = np.random.default_rng(1).standard_normal((40, 20)).astype(np.float32)
    matrix.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert close(eigenvalues_on(DEVICE, matrix), matrix)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e200])
def test_what_is_not_finite_has_no_eigenvalues(bad: float) -> None:
    matrix = np.ones((20, 30))
    matrix[3, 4] = bad
    assert eigenvalues_on(DEVICE, matrix) is None
    spectrum = compute_spectrum([np.ones((20, 30)), matrix], 0.0, device=DEVICE)
    assert (spectrum.state, spectrum.eigenvalues.size, spectrum.slices) == ("non-finite", 0, 2)


def test_slices_are_pooled_and_scaled_and_zeros_are_told() -> None:
    kernel = np.random.default_rng(2).standard_normal((9, 16, 8))
    expected = np.sort(np.concatenate([np.linalg.svd(k, compute_uv=False) ** 2 for k in kernel])) / 2
    found = compute_spectrum(kernel, 0.0, scale=0.5, device=DEVICE).eigenvalues
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13 * expected[-1])
    assert compute_spectrum([np.zeros((9, 5))], 0.0, device=DEVICE).state == "zero"


def test_a_product_of_thin_matrices_has_the_eigenvalues_of_the_product() -> None:
    rng = np.random.default_rng(3)
    thin = LowRank(rng.standard_normal((4, 30)), rng.standard_normal((50, 4)), 2.0)
    expected = np.linalg.svd(2.0 * thin.B @ thin.A, compute_uv=False)[::-1] ** 2
    found = low_rank_spectrum(thin, 0.0, device=DEVICE).eigenvalues
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13 * expected[-1])


def test_the_small_end_is_exact_where_it_is_asked_for() -> None:
    sigma = 10.0 ** -np.arange(12)
    exact = compute_spectrum([np.diag(sigma)], 0.0, exact_small_end=True, device=DEVICE).eigenvalues
    np.testing.assert_allclose(exact, sigma[::-1] ** 2, rtol=1e-8)


def test_a_device_that_fails_is_one_line() -> None:
    # Tensors of torch's device `meta` have shapes and no numbers, so nothing can be solved there.
    with pytest.raises(CheckpointError, match=r"failed on a matrix of side 5: .*without --device") as error:
        eigenvalues_on("meta", np.ones((9, 5)))
    assert "\n" not in str(error.value)


def test_what_solves_is_told_with_its_version() -> None:
    assert solver_on(DEVICE) == f"torch.linalg.eigvalsh of torch {torch.__version__} on {DEVICE}"


def test_a_real_gpu_gives_the_same_and_the_same_bits_again() -> None:
    if not torch.cuda.is_available():
        pytest.skip("torch finds no GPU here")
    for shape, dtype in product(SHAPES, DTYPES):
        matrix = (3 * np.random.default_rng(0).standard_normal(shape)).astype(dtype)
        found, again = eigenvalues_on("cuda", matrix), eigenvalues_on("cuda", matrix)
        assert close(found, matrix), (shape, dtype)
        assert found is not None and again is not None and found.tobytes() == again.tobytes()
    assert torch.cuda.get_device_name() in solver_on("cuda")

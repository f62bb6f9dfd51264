"""The largest eigenvalue by Lanczos steps against NumPy's."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from wqscore.spectra.eigenvalues import gram
from wqscore.spectra.lanczos import LANCZOS_ERROR, largest_eigenvalue

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(autouse=True)
def _one_thread_per_solve() -> Iterator[None]:
    with threadpool_limits(1):
        yield


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

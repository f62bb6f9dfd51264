"""The routines by their addresses, beside NumPy's own way to the same library."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wqscore.spectra.lapack import TWO_STAGES, add_gram, driver, symmetric_eigenvalues


@given(rows=st.integers(1, 40), side=st.integers(1, 40), seed=st.integers(0, 99))
def test_the_upper_triangle_of_a_sum_of_products(rows: int, side: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = rng.standard_normal((rows, side)), rng.standard_normal((rows, side))
    total = np.zeros((side, side))
    add_gram(first, total)
    add_gram(second, total)
    expected = first.T @ first + second.T @ second
    np.testing.assert_allclose(np.triu(total), np.triu(expected), rtol=0, atol=1e-12 * np.abs(expected).max())


@pytest.mark.parametrize("side", [1, 2, 17, 65, 300, TWO_STAGES - 1, TWO_STAGES])
def test_numpy_finds_the_same_eigenvalues(side: int) -> None:
    matrix = np.random.default_rng(side).standard_normal((side, side))
    symmetric = matrix + matrix.T
    assert driver(side) == ("dsyevd_2stage" if side >= TWO_STAGES else "dsyevd")
    expected = np.linalg.eigvalsh(symmetric)
    found = symmetric_eigenvalues(np.triu(symmetric))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13 * np.abs(expected).max())


def test_a_matrix_of_known_eigenvalues() -> None:
    """The path graph's Laplacian: 2 − 2·cos(πk/n)."""
    side = 200
    laplacian = 2 * np.eye(side) - np.eye(side, k=1) - np.eye(side, k=-1)
    laplacian[0, 0] = laplacian[-1, -1] = 1
    expected = 2 - 2 * np.cos(np.pi * np.arange(side) / side)
    np.testing.assert_allclose(symmetric_eigenvalues(laplacian), expected, rtol=0, atol=1e-13)


def test_other_threads_run_meanwhile() -> None:
    """With the interpreter's lock held nothing would be counted until the end."""
    matrix = np.random.default_rng(0).standard_normal((1200, 1200))
    ticks, done = [], threading.Event()

    def count() -> None:
        while not done.is_set():
            ticks.append(1)
            time.sleep(0.001)

    counting = threading.Thread(target=count)
    counting.start()
    symmetric_eigenvalues(matrix + matrix.T)
    done.set()
    counting.join()
    assert len(ticks) > 5

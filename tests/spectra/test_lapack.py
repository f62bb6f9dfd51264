"""The routines by their addresses, beside NumPy's own way to the same library."""

from __future__ import annotations

import threading
import time
from typing import Literal, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wqscore.spectra import lapack
from wqscore.spectra.lapack import (
    BAND,
    TWO_STAGES,
    VIA_BAND,
    add_gram,
    driver,
    eigenvalues_via_band,
    symmetric_eigenvalues,
)

Order = Literal["C", "F"]


@given(
    rows=st.integers(1, 40),
    side=st.integers(1, 40),
    seed=st.integers(0, 99),
    orders=st.tuples(st.sampled_from(["C", "F"]), st.sampled_from(["C", "F"])),
)
def test_the_upper_triangle_of_a_sum_of_products(
    rows: int, side: int, seed: int, orders: tuple[Order, Order]
) -> None:
    rng = np.random.default_rng(seed)
    first, second = rng.standard_normal((rows, side)), rng.standard_normal((rows, side))
    total = np.zeros((side, side))
    add_gram(np.array(first, order=orders[0]), total)
    add_gram(np.array(second, order=orders[1]), total)
    expected = first.T @ first + second.T @ second
    np.testing.assert_allclose(np.triu(total), np.triu(expected), rtol=0, atol=1e-12 * np.abs(expected).max())


@pytest.mark.parametrize("side", [1, 2, 17, 65, 300, TWO_STAGES - 1, TWO_STAGES])
def test_numpy_finds_the_same_eigenvalues(side: int) -> None:
    matrix = np.random.default_rng(side).standard_normal((side, side))
    symmetric = matrix + matrix.T
    assert driver(side) == (VIA_BAND if side >= TWO_STAGES else "dsyevd")
    expected = np.linalg.eigvalsh(symmetric)
    found = symmetric_eigenvalues(np.triu(symmetric))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13 * np.abs(expected).max())


@settings(max_examples=examples(20))
@given(rows=st.integers(1, 700), side=st.integers(1, 300), seed=st.integers(0, 99))
def test_a_sum_of_products_has_the_same_bits_in_either_order(rows: int, side: int, seed: int) -> None:
    """Stored spectra rest on it: 0.5.0 summed row-major blocks alone."""
    block = np.random.default_rng(seed).standard_normal((rows, side))
    by_order: dict[Order, np.ndarray] = {}
    for order in get_args(Order):
        by_order[order] = np.zeros((side, side))
        add_gram(np.array(block, order=order), by_order[order])
    np.testing.assert_array_equal(by_order["C"], by_order["F"])


@settings(max_examples=examples(25), deadline=None)
@given(
    offset=st.integers(-2, 40),
    kind=st.sampled_from(["normal", "gram", "low-rank", "graded", "diagonal", "equal"]),
    power=st.sampled_from([-1000, -600, -480, 0, 300, 500, 900]),
    seed=st.integers(0, 99),
)
def test_either_driver_agrees_with_numpy_around_the_switch(offset: int, kind: str, power: int, seed: int) -> None:
    """The switch is moved down to where matrices are quick to solve."""
    side, rng = 80 + offset, np.random.default_rng(seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lapack, "TWO_STAGES", 80)
        matrix = symmetric(rng, side, kind) * 2.0**power
        expected = np.linalg.eigvalsh(matrix)
        assert driver(side) == (VIA_BAND if offset >= 0 else "dsyevd")
        found = symmetric_eigenvalues(np.triu(matrix))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * np.abs(expected).max())


def symmetric(rng: np.random.Generator, side: int, kind: str) -> np.ndarray:
    """A symmetric matrix with entries about 1."""
    square = rng.standard_normal((side, side))
    if kind == "normal":
        return square + square.T
    if kind == "diagonal":
        return np.diag(square[0])
    scales = {"low-rank": np.arange(side) < 5, "graded": np.logspace(0, -12, side), "equal": np.ones(side)}
    if kind == "equal":
        square = np.linalg.qr(square)[0]
    thin = square * scales.get(kind, 1.0)
    product: np.ndarray = thin.T @ thin
    return (product + product.T) / 2


@pytest.mark.parametrize("width", [1, 2, 31, BAND])
def test_any_width_of_the_band_gives_the_same(width: int) -> None:
    matrix = symmetric(np.random.default_rng(width), 150, "normal")
    expected = np.linalg.eigvalsh(matrix)
    found = eigenvalues_via_band(matrix, width)
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

"""Singular vectors against an SVD, and changes that must not affect them."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wqscore.spectra.vectors import singular_vectors

pytestmark = pytest.mark.filterwarnings("error")

SHAPES = [(1, 1), (1, 7), (7, 1), (60, 90), (90, 60), (64, 64), (20, 5000)]


@pytest.mark.parametrize("shape", SHAPES)
def test_they_are_those_of_an_svd(shape: tuple[int, int]) -> None:
    matrix = np.random.default_rng(shape).standard_t(3, shape)
    eigenvalues, vectors = singular_vectors(matrix)
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    expected = left if shape[0] <= shape[1] else right.T
    np.testing.assert_allclose(eigenvalues, values[::-1] ** 2, rtol=0, atol=1e-12 * values[0] ** 2)
    overlaps = np.abs(np.sum(vectors * expected[:, ::-1], axis=0))
    np.testing.assert_allclose(overlaps, 1, rtol=1e-9)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_largest_alone_are_the_same(shape: tuple[int, int]) -> None:
    matrix = np.random.default_rng(shape).standard_t(3, shape)
    eigenvalues, vectors = singular_vectors(matrix)
    for count in {1, min(3, *shape), min(shape)}:
        few, leading = singular_vectors(matrix, count)
        np.testing.assert_allclose(few, eigenvalues[-count:], rtol=0, atol=1e-12 * eigenvalues[-1])
        np.testing.assert_allclose(np.abs(np.sum(leading * vectors[:, -count:], axis=0)), 1, rtol=1e-9)


@settings(max_examples=examples(40))
@given(st.integers(1, 30), st.integers(-60, 60), st.integers(0, 2**32), st.data())
def test_a_few_are_orthonormal_eigenvectors_also_of_equal_eigenvalues(
    side: int, power: int, seed: int, data: st.DataObject
) -> None:
    rng = np.random.default_rng(seed)
    basis, _ = np.linalg.qr(rng.standard_normal((side, side)))
    matrix = basis * np.sort(rng.integers(0, 3, side)) * 2.0**power
    count = data.draw(st.integers(1, side))
    eigenvalues, vectors = singular_vectors(matrix, count)
    product = matrix @ matrix.T
    assert vectors.shape == (side, count)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(count), atol=1e-13)
    np.testing.assert_allclose(product @ vectors, vectors * eigenvalues, rtol=0, atol=1e-13 * 4.0 ** (power + 1))
    np.testing.assert_allclose(
        eigenvalues, np.linalg.eigvalsh(product)[-count:].clip(0), rtol=0, atol=1e-13 * 4.0 ** (power + 1)
    )


@settings(max_examples=examples(40))
@given(st.integers(1, 30), st.integers(1, 30), st.integers(-60, 60), st.integers(0, 2**32))
def test_they_are_orthonormal_and_diagonalise_the_gram_matrix(rows: int, columns: int, power: int, seed: int) -> None:
    matrix = np.random.default_rng(seed).standard_normal((rows, columns)) * 2.0**power
    eigenvalues, vectors = singular_vectors(matrix)
    product = matrix @ matrix.T if rows <= columns else matrix.T @ matrix
    largest = eigenvalues[-1]
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(min(rows, columns)), atol=1e-13)
    np.testing.assert_allclose(product @ vectors, vectors * eigenvalues, rtol=0, atol=1e-13 * largest)
    assert (np.diff(eigenvalues) >= 0).all()


@pytest.mark.parametrize("shape", [(60, 90), (300, 20), (1, 9)])
def test_storing_the_transpose_gives_the_same_bits(shape: tuple[int, int]) -> None:
    matrix = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    for mine, other in zip(singular_vectors(matrix), singular_vectors(np.ascontiguousarray(matrix.T)), strict=True):
        np.testing.assert_array_equal(mine, other)


def test_of_a_square_matrix_they_are_those_of_its_rows() -> None:
    matrix = np.zeros((5, 5))
    matrix[3] = [1.0, 2.0, 0.0, 0.0, 2.0]  # one output of five inputs
    assert np.abs(singular_vectors(matrix)[1][:, -1]).tolist() == pytest.approx([0, 0, 0, 1, 0])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ml_dtypes.bfloat16])
def test_every_float_type_is_read(dtype: type) -> None:
    eigenvalues, vectors = singular_vectors(np.diag([1.0, 3.0, 2.0]).astype(dtype))
    assert eigenvalues == pytest.approx([1, 4, 9])
    assert vectors.dtype == np.float64


def test_a_factor_of_1024_leaves_the_vectors() -> None:
    matrix = np.random.default_rng(2).standard_t(2.5, (80, 50))
    before, after = singular_vectors(matrix), singular_vectors(matrix * 1024)
    np.testing.assert_allclose(after[0], before[0] * 1024**2, rtol=1e-9)
    np.testing.assert_allclose(np.abs(after[1]), np.abs(before[1]), atol=1e-9)


@pytest.mark.parametrize("fill", [0.0, 5e-324, 1e-170, 1e150])
def test_equal_and_extreme_entries(fill: float) -> None:
    eigenvalues, vectors = singular_vectors(np.full((4, 6), fill))
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(4), atol=1e-13)
    assert eigenvalues[-1] == pytest.approx(24 * fill**2)
    assert (eigenvalues >= 0).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e200])
def test_nothing_comes_of_what_is_not_finite(bad: float) -> None:
    matrix = np.ones((3, 8))
    matrix[1, 2] = bad
    eigenvalues, vectors = singular_vectors(matrix)
    assert eigenvalues.shape == (0,)
    assert vectors.shape == (3, 0)

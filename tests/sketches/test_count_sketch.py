"""The count-sketch of a matrix: its cosine is that of the matrices, whatever their shape, type and layout."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wqscore.sketches import count_sketch as module
from wqscore.sketches.count_sketch import BUCKETS, count_sketch, sketch_of_blocks
from wqscore.sketches.kernel import SEED
from wqscore.sketches.sketch import unit_sketch

MASK = (1 << 64) - 1


def mixed(value: int) -> int:
    """SplitMix64's finaliser in Python's integers."""
    value = (value + 0x9E3779B97F4A7C15) & MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
    return value ^ (value >> 31)


def expected(matrix: np.ndarray) -> np.ndarray:
    """The sums of the buckets, entry by entry."""
    sums = np.zeros(BUCKETS)
    for (row, column), value in np.ndenumerate(matrix):
        code = mixed(mixed(row + SEED) ^ (column // 8 * 8 * 0x9E3779B97F4A7C15 & MASK)) >> (8 * (column % 8))
        sums[(code & 255) >> 1] += float(value) * (1 - 2 * (code & 1))
    return sums


@pytest.mark.parametrize("dtype", ["f4", "f8", "f2", ml_dtypes.bfloat16, ">f4"])
@pytest.mark.parametrize("shape", [(5, 19), (16, 8), (1, 1), (7, 3)])
def test_every_entry_is_in_its_bucket_with_its_sign(dtype: object, shape: tuple[int, int]) -> None:
    matrix = np.random.default_rng(0).standard_normal(shape).astype(dtype)  # type: ignore[call-overload]
    assert np.allclose(count_sketch(matrix[None])[0], expected(matrix), atol=1e-6)
    assert np.allclose(count_sketch(np.asfortranarray(matrix)[None])[0], expected(matrix), atol=1e-6)


@settings(max_examples=examples(30))
@given(st.integers(0, 99), st.floats(0, 2))
def test_the_cosine_is_near_that_of_the_matrices(seed: int, noise: float) -> None:
    rng = np.random.default_rng(seed)
    one = rng.standard_normal((1, 70, 50))
    other = one + noise * rng.standard_normal(one.shape)
    exact = (one * other).sum() / np.linalg.norm(one) / np.linalg.norm(other)
    assert abs(unit_sketch(one) @ unit_sketch(other) - exact) < 5 * np.sqrt((1 - exact**2 + 1e-9) / BUCKETS) + 0.02


def test_unrelated_matrices_have_cosines_about_one_over_the_root_of_the_buckets() -> None:
    rng = np.random.default_rng(0)
    cosines = [
        unit_sketch(rng.standard_normal((1, 30, 40))) @ unit_sketch(rng.standard_normal((1, 30, 40)))
        for _ in range(200)
    ]
    assert 0.07 < np.std(cosines) < 0.11


def test_matrices_of_one_column_and_rank_don_t_collide() -> None:
    """A matrix of rank 1 has its cosine with another estimated as well as any."""
    rng = np.random.default_rng(1)

    def thin() -> np.ndarray:
        return np.outer(rng.standard_normal(40), rng.standard_normal(60))[None]

    cosines = [unit_sketch(thin()) @ unit_sketch(thin()) for _ in range(200)]
    assert np.std(cosines) < 0.13
    assert abs(np.mean(cosines)) < 0.03


def test_slices_blocks_and_layouts_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).standard_normal((3, 50, 30)).astype("f4")
    whole, zeros = count_sketch(values)
    assert zeros == 0
    monkeypatch.setattr(module, "_BLOCK", 100)
    for same in (values, values.transpose(0, 2, 1).copy().transpose(0, 2, 1), np.asfortranarray(values)):
        assert np.allclose(count_sketch(same)[0], whole, atol=1e-9)
    assert np.allclose(sketch_of_blocks(values.reshape(-1, 30)[at : at + 7] for at in range(0, 150, 7))[0], whole)


def test_it_is_linear_and_counts_zeros() -> None:
    rng = np.random.default_rng(2)
    one, other = rng.standard_normal((2, 1, 20, 33))
    one[0, 3] = 0
    assert np.allclose(count_sketch(2 * one - 3 * other)[0], 2 * count_sketch(one)[0] - 3 * count_sketch(other)[0])
    assert count_sketch(one)[1] == 33
    assert count_sketch(one.astype("f2"))[1] == 33


def test_a_matrix_without_a_direction_is_like_nothing() -> None:
    for dtype in ("f4", "f2"):
        assert not unit_sketch(np.zeros((1, 4, 5), dtype)).any()
        assert not unit_sketch(np.full((1, 4, 5), np.nan, dtype)).any()
    assert np.isfinite(unit_sketch(np.full((1, 4, 5), 1e200))).all()

"""Random elements: in their groups, with the inverse that they claim, and seeded."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wqscore.symmetries.elements import invertible, planes, rotation, signed

SEEDS = st.integers(0, 999)


def rotated_by_position(size: int, rotary: int, angle: float) -> np.ndarray:
    """What rotary position embeddings multiply a head by, plane i by an angle of its own."""
    half, matrix = rotary // 2, np.eye(size)
    for plane in range(half):
        turn = angle / (plane + 1)
        matrix[plane, plane] = matrix[plane + half, plane + half] = np.cos(turn)
        matrix[plane, plane + half], matrix[plane + half, plane] = -np.sin(turn), np.sin(turn)
    return matrix


@settings(max_examples=examples(60))
@given(st.integers(1, 12), SEEDS)
def test_the_inverse_is_the_inverse(size: int, seed: int) -> None:
    factor, inverse = invertible(size, 0.5, np.random.default_rng(seed))
    np.testing.assert_allclose(inverse.T @ factor, np.eye(size), atol=1e-12)


@settings(max_examples=examples(60))
@given(st.integers(1, 12), st.data(), SEEDS, st.floats(-3, 3))
def test_planes_commute_with_rotations_by_position(size: int, data: st.DataObject, seed: int, angle: float) -> None:
    rotary = 2 * data.draw(st.integers(0, size // 2))
    factor, inverse = planes(size, rotary, 0.5, np.random.default_rng(seed))
    np.testing.assert_allclose(inverse.T @ factor, np.eye(size), atol=1e-12)
    turn = rotated_by_position(size, rotary, angle)
    np.testing.assert_allclose(factor @ turn, turn @ factor, atol=1e-12)


@settings(max_examples=examples(60))
@given(st.integers(1, 12), st.data(), SEEDS, st.floats(-3, 3))
def test_signed_permutations_keep_gains_and_commute(size: int, data: st.DataObject, seed: int, angle: float) -> None:
    rotary = 2 * data.draw(st.integers(0, size // 2))
    gains = np.array(data.draw(st.lists(st.sampled_from([1.0, 2.0]), min_size=2 * size, max_size=2 * size)))
    gains = gains.reshape(2, size)
    factor = signed(size, rotary, gains, np.random.default_rng(seed))
    assert set(np.unique(factor)) <= {-1.0, 0.0, 1.0}
    np.testing.assert_array_equal(factor.T @ factor, np.eye(size))
    for each in gains:
        np.testing.assert_array_equal(factor * each, each[:, None] * factor)
    turn = rotated_by_position(size, rotary, angle)
    np.testing.assert_allclose(factor @ turn, turn @ factor, atol=1e-12)


@settings(max_examples=examples(60))
@given(st.integers(1, 12), st.booleans(), SEEDS)
def test_rotations_are_orthogonal_and_keep_the_mean_where_they_must(width: int, keeps: bool, seed: int) -> None:
    found = rotation(width, keeps, np.random.default_rng(seed))
    np.testing.assert_allclose(found @ found.T, np.eye(width), atol=1e-12)
    if keeps:
        np.testing.assert_allclose(found @ np.ones(width), np.ones(width), atol=1e-12)

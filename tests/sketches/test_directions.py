"""Fingerprints of singular directions, beside numpy's SVD."""

from __future__ import annotations

import json

import numpy as np
import pytest

from wqscore.sketches.directions import COUNT, SIGNS, _signs, directions_of, directions_value, parse_directions


def spiked(rows: int, columns: int, seed: int = 0) -> np.ndarray:
    """A matrix with six directions that stand apart."""
    rng = np.random.default_rng(seed)
    left, right = (np.linalg.qr(rng.standard_normal((side, 6)))[0] for side in (rows, columns))
    noise = rng.standard_normal((rows, columns)) * 0.5 / max(rows, columns) ** 0.5
    return ((left * [9, 7, 5.5, 4.2, 3.3, 2.5]) @ right.T + noise).astype("f4")


def from_svd(matrix: np.ndarray) -> np.ndarray:
    left, _, right = np.linalg.svd(matrix.astype("f8"), full_matrices=False)
    found = np.zeros((2, COUNT, SIGNS))
    for side, vectors in enumerate((left.T, right)):
        for place, vector in enumerate(vectors[:COUNT]):
            sign = np.sign(vector[np.abs(vector).argmax()])
            found[side, place] = sign * (vector @ _signs(len(vector)))
    return found


@pytest.mark.parametrize("shape", [(60, 90), (90, 60), (64, 64), (300, 400), (400, 300), (9, 7)])
def test_they_are_those_of_the_svd(shape: tuple[int, int]) -> None:
    matrix = spiked(*shape)
    assert np.allclose(directions_of(matrix[None]), from_svd(matrix), atol=5e-3)


def test_a_matrix_and_its_transpose_swap_sides() -> None:
    matrix = spiked(200, 300)
    assert np.allclose(directions_of(matrix[None]), directions_of(matrix.T[None])[::-1], atol=2e-3)


def test_directions_outlive_cut_rows() -> None:
    matrix = spiked(400, 100)
    whole, cut = directions_of(matrix[None])[1], directions_of(matrix[:300][None])[1]
    other = directions_of(spiked(300, 100, seed=5)[None])[1]

    def agreement(one: np.ndarray, two: np.ndarray) -> float:
        return float(np.abs((one * two).sum(1) / np.linalg.norm(one, axis=1) / np.linalg.norm(two, axis=1)).mean())

    assert agreement(whole, cut) > 0.8
    assert agreement(whole, other) < 0.5


@pytest.mark.parametrize(
    "weights",
    [
        np.zeros((1, 20, 30)),
        np.full((1, 20, 30), np.nan),
        np.eye(20)[None],
        np.ones((2, 20, 30)),
        1e200 * np.ones((1, 3, 3)),
    ],
)
def test_what_is_not_defined_is_0(weights: np.ndarray) -> None:
    assert not directions_of(weights).any()


def test_noise_of_any_size_leaves_finite_numbers() -> None:
    for size in (50, 250):
        assert np.isfinite(directions_of(np.random.default_rng(0).standard_normal((1, size, 2 * size)))).all()


def test_json_keeps_them() -> None:
    found = directions_of(spiked(60, 90)[None])
    assert (parse_directions(json.loads(json.dumps(directions_value(found)))) == found).all()
    assert len(directions_value(found)) < 360
    with pytest.raises(ValueError):
        parse_directions("AAAA")

"""What is kept of a matrix: the sketch of unit norm, zeros and levels; and what the store may hand back."""

from __future__ import annotations

import json

import numpy as np
import pytest

from wqscore.checkpoints.adapters.low_rank import LowRank
from wqscore.sketches.count_sketch import count_sketch
from wqscore.sketches.sketch import Sketch, parse_sketch, sketch_of, sketch_value

RNG = np.random.default_rng(0)
MATRIX = RNG.standard_normal((1, 96, 64)).astype("f4")


def made(weights: np.ndarray) -> Sketch:
    return sketch_of(weights, float(np.linalg.norm(weights.astype("f8"))))


def test_it_is_the_sketch_of_the_matrix_over_its_norm() -> None:
    found = made(MATRIX)
    assert np.allclose(found.sums, count_sketch(MATRIX)[0] / np.linalg.norm(MATRIX), atol=1e-6)
    assert (found.zeros, found.levels) == (0, 32)


def test_a_product_of_thin_matrices_has_the_sketch_of_the_product() -> None:
    a, b = RNG.standard_normal((3, 700)).astype("f4"), RNG.standard_normal((900, 3)).astype("f4")
    product = 0.5 * b.astype("f8") @ a
    norm = float(np.linalg.norm(product))
    assert np.allclose(sketch_of(LowRank(a, b, 0.5), norm).sums, count_sketch(product[None])[0] / norm, atol=1e-6)


def test_zeros_and_few_values_are_seen() -> None:
    half = np.where(np.abs(MATRIX) < np.median(np.abs(MATRIX)), 0, MATRIX)
    assert made(half).zeros == pytest.approx(0.5, abs=1e-3)
    scale = np.abs(MATRIX).max(axis=2, keepdims=True) / 7
    by_row = (np.rint(MATRIX / scale) * scale).astype("f4")
    assert 0 < made(by_row).levels <= 16
    # Stored the other way round, rows of one scale are columns.
    assert 0 < made(by_row.transpose(0, 2, 1)).levels <= 16


def test_half_of_the_values_0_are_not_few_values() -> None:
    pruned = np.where(RNG.random(MATRIX.shape) < 0.6, 0, MATRIX)
    assert not 0 < made(pruned).levels <= 16


def test_groups_of_32_with_a_scale_each_have_few_values() -> None:
    groups = MATRIX.reshape(96, 2, 32)
    scale = np.abs(groups).max(axis=2, keepdims=True) / 7
    assert 0 < made((np.rint(groups / scale) * scale).astype("f4").reshape(1, 96, 64)).levels <= 16


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_plain_weights_of_any_type_are_not_few_values(dtype: str) -> None:
    assert made(MATRIX.astype(dtype)).levels > 24


def test_a_small_matrix_tells_no_levels() -> None:
    assert made(RNG.standard_normal((1, 5, 5))).levels == 0


@pytest.mark.parametrize("norm", [0.0, float("nan"), float("inf")])
def test_a_matrix_without_a_norm_has_no_direction(norm: float) -> None:
    assert not sketch_of(MATRIX, norm).sums.any()


def test_json_keeps_every_bit() -> None:
    found = made(MATRIX)
    text = json.dumps(sketch_value(found))
    again = parse_sketch(json.loads(text))
    assert again.sums.tobytes() == found.sums.tobytes()
    assert (again.zeros, again.levels) == (found.zeros, found.levels)
    assert len(text) < 1024


GOOD = sketch_value(made(MATRIX))


@pytest.mark.parametrize(
    "value",
    [
        None,
        "sketch",
        {},
        {**GOOD, "more": 1},
        {**GOOD, "sums": GOOD["sums"][:-8]},
        {**GOOD, "sums": "!" * len(GOOD["sums"])},
        {**GOOD, "sums": sketch_value(Sketch(np.full(128, np.nan), 0, 0))["sums"]},
        {**GOOD, "zeros": 2},
        {**GOOD, "zeros": "0"},
        {**GOOD, "levels": -1},
        {**GOOD, "levels": 1.5},
    ],
)
def test_what_is_no_sketch_is_refused(value: object) -> None:
    with pytest.raises(ValueError):
        parse_sketch(value)

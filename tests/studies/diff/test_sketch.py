"""The sketch of a matrix: its cosine is that of the matrices, whatever their shape and type."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wqscore.studies.diff import sketch as module
from wqscore.studies.diff.sketch import BUCKETS, sketch


@settings(max_examples=examples(50))
@given(st.integers(0, 99), st.floats(0, 2))
def test_the_cosine_is_near_that_of_the_matrices(seed: int, noise: float) -> None:
    rng = np.random.default_rng(seed)
    one = rng.standard_normal((1, 70, 50))
    other = one + noise * rng.standard_normal(one.shape)
    exact = (one * other).sum() / np.linalg.norm(one) / np.linalg.norm(other)
    assert abs(sketch(one) @ sketch(other) - exact) < 5 * np.sqrt((1 - exact**2 + 1e-9) / BUCKETS) + 0.02


def test_unrelated_matrices_have_cosines_about_one_over_the_root_of_the_buckets() -> None:
    rng = np.random.default_rng(0)
    cosines = [
        sketch(rng.standard_normal((1, 30, 40))) @ sketch(rng.standard_normal((1, 30, 40))) for _ in range(200)
    ]
    assert 0.07 < np.std(cosines) < 0.11


def test_blocks_of_rows_make_no_difference(monkeypatch) -> None:
    values = np.random.default_rng(0).standard_normal((1, 200, 30)).astype("f4")
    whole = sketch(values)
    monkeypatch.setattr(module, "_BLOCK", 100)
    assert np.allclose(sketch(values), whole, atol=1e-12)


def test_a_matrix_without_a_direction_is_like_nothing() -> None:
    assert not sketch(np.zeros((1, 4, 5))).any()
    assert not sketch(np.full((1, 4, 5), np.nan)).any()

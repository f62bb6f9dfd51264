"""Distances from a base checkpoint against an SVD of the difference."""

from __future__ import annotations

import math
import tracemalloc

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wqscore.spectra.distance import squared_distances

pytestmark = pytest.mark.filterwarnings("error")


def by_svd(weights: np.ndarray, base: np.ndarray) -> tuple[float, float]:
    values = [np.linalg.svd(d, compute_uv=False) for d in weights.astype(np.float64) - base.astype(np.float64)]
    return sum(float((each**2).sum()) for each in values), max(float(each[0] ** 2) for each in values)


@settings(max_examples=examples(60))
@given(st.integers(1, 4), st.integers(1, 40), st.integers(1, 40), st.integers(-12, 12), st.integers(0, 2**32))
def test_they_are_those_of_an_svd(slices: int, rows: int, columns: int, power: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    base = rng.standard_normal((slices, rows, columns))
    weights = base + rng.standard_t(3, base.shape) * 10.0**power
    assert squared_distances(weights, base) == pytest.approx(by_svd(weights, base), rel=1e-8)


@pytest.mark.parametrize("shape", [(1, 5000, 12), (1, 12, 9000), (9, 32, 16)])
def test_several_blocks_and_slices(shape: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(0)
    weights, base = rng.standard_normal((2, *shape)).astype(np.float32)
    assert squared_distances(weights, base) == pytest.approx(by_svd(weights, base), rel=1e-9)


def test_a_low_rank_update_by_hand() -> None:
    rng = np.random.default_rng(1)
    left, right = np.linalg.qr(rng.standard_normal((70, 2)))[0], np.linalg.qr(rng.standard_normal((40, 2)))[0]
    base = rng.standard_normal((1, 70, 40))
    moved = base + left @ np.diag([3.0, 2.0]) @ right.T
    assert squared_distances(moved, base) == pytest.approx((13, 9), rel=1e-12)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ml_dtypes.bfloat16])
@pytest.mark.parametrize("origin", [np.float32, ml_dtypes.bfloat16])
def test_data_types_may_differ(dtype: type, origin: type) -> None:
    weights, base = np.random.default_rng(2).standard_normal((2, 1, 30, 50))
    weights, base = weights.astype(dtype), base.astype(origin)
    assert squared_distances(weights, base) == pytest.approx(by_svd(weights, base), rel=1e-9)


def test_equal_weights_have_not_moved() -> None:
    weights = np.random.default_rng(3).standard_normal((4, 20, 30)).astype(ml_dtypes.bfloat16)
    assert squared_distances(weights, weights.copy()) == (0, 0)


def test_a_change_far_below_the_weights_is_seen() -> None:
    base = np.full((1, 10, 10), 1.0)
    moved = base.copy()
    moved[0, 3, 4] += 2.0**-40
    assert squared_distances(moved, base) == pytest.approx((2.0**-80, 2.0**-80), rel=1e-12)


def test_direction_layout_transposition_and_scale() -> None:
    weights, base = np.random.default_rng(4).standard_normal((2, 3, 25, 60))
    expected = squared_distances(weights, base)
    assert squared_distances(base, weights) == expected
    assert squared_distances(np.asfortranarray(weights), base[..., ::-1][..., ::-1]) == expected
    assert squared_distances(weights.transpose(0, 2, 1), base.transpose(0, 2, 1)) == expected
    scaled = squared_distances(weights * 1024, base * 1024)
    assert scaled == pytest.approx(tuple(each * 1024**2 for each in expected), rel=1e-9)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e160])
@pytest.mark.parametrize("where", [0, 1])
def test_what_is_not_finite_is_nan(bad: float, where: int) -> None:
    pair = [np.ones((2, 4, 5)), np.zeros((2, 4, 5))]
    pair[where][1, 2, 3] = bad
    assert all(math.isnan(value) for value in squared_distances(*pair))
    both = np.full((1, 2, 2), np.inf)
    assert all(math.isnan(value) for value in squared_distances(both, both))


def test_sums_out_of_range_are_nan() -> None:
    # A sum of squares within one Gram matrix; over slices whose own norms are finite.
    for weights in (np.full((1, 3, 3), 1e154), np.full((300, 1, 1), 1e153)):
        assert all(math.isnan(value) for value in squared_distances(weights, np.zeros_like(weights)))
    assert squared_distances(np.full((100, 1, 1), 1e153), np.zeros((100, 1, 1))) == pytest.approx((1e308, 1e306))


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="no difference"):
        squared_distances(np.ones((1, 4, 5)), np.ones((1, 5, 4)))
    with pytest.raises(ValueError, match="no difference"):
        squared_distances(np.ones((2, 4, 5)), np.ones((1, 4, 5)))


def test_the_difference_is_never_held_whole() -> None:
    weights = np.random.default_rng(5).standard_normal((1, 60_000, 64)).astype(np.float32)
    base = weights * np.float32(0.9)
    tracemalloc.start()
    squared_distances(weights, base)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < weights.size * 8 / 2

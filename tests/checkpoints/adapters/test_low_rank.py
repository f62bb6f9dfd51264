"""ΔW through its factors, against the dense product in exact or double precision."""

from __future__ import annotations

import tracemalloc

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wqscore.checkpoints.adapters.low_rank import delta, delta_core, merged

SIDES = st.integers(1, 12)


@given(
    out=SIDES, inner=SIDES, rank=SIDES, true_rank=st.integers(0, 12), seed=st.integers(0, 99), scale=st.floats(-9, 9)
)
def test_core_has_the_singular_values_of_the_product(
    out: int, inner: int, rank: int, true_rank: int, seed: int, scale: float
) -> None:
    """Of any shape and rank, r above both sides and 0 included; the rest of the product's are zero."""
    generator = np.random.default_rng(seed)
    middle = generator.normal(size=(rank, min(true_rank, rank)))
    A = middle @ generator.normal(size=(middle.shape[1], inner))
    B = generator.normal(size=(out, rank))
    core = delta_core(A, B, scale)
    assert core.shape == (min(out, rank), min(inner, rank))
    expected = np.linalg.svd(scale * (B @ A), compute_uv=False)
    found = np.linalg.svd(core, compute_uv=False)
    padded = np.concatenate([found, np.zeros(expected.size - found.size)])
    bound = abs(scale) * np.linalg.norm(A, 2) * np.linalg.norm(B, 2)
    np.testing.assert_allclose(padded, expected, rtol=0, atol=1e-14 * bound + 1e-300)


def test_core_of_known_factors() -> None:
    """Orthonormal columns times a diagonal: the diagonal, times the scale."""
    generator = np.random.default_rng(5)
    left = np.linalg.qr(generator.normal(size=(300, 4)))[0]
    right = np.linalg.qr(generator.normal(size=(200, 4)))[0]
    core = delta_core((right * [8, 4, 2, 1]).T, left, 0.5)
    np.testing.assert_allclose(np.linalg.svd(core, compute_uv=False), [4, 2, 1, 0.5], rtol=1e-13)


@pytest.mark.parametrize("which", ["A", "B"])
def test_zero_factor(which: str) -> None:
    factors = {"A": np.ones((3, 7), np.float32), "B": np.ones((5, 3), np.float32)}
    factors[which][:] = 0
    assert not delta_core(**factors, scale=2.0).any()
    assert not delta(**factors, scale=2.0).any()


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, ml_dtypes.bfloat16])
def test_delta_and_merged_are_rounded_once(dtype: type) -> None:
    generator = np.random.default_rng(2)
    A, B, W = (generator.integers(-8, 9, size).astype(dtype) for size in ((3, 50), (40, 3), (40, 50)))
    product = B.astype(int) @ A.astype(int)
    np.testing.assert_array_equal(delta(A, B, 0.25), (product / 4).astype(np.float32))
    np.testing.assert_array_equal(merged(W, A, B, 0.25), (W.astype(int) + product / 4).astype(np.float32))
    assert delta(A, B, 0.25).dtype == merged(W, A, B, 0.25).dtype == np.float32


def test_blocks_join_without_seams() -> None:
    """More columns than a block holds elements, and more rows than one block has."""
    generator = np.random.default_rng(3)
    for out, inner in ((2, 2_200_000), (1600, 1500)):
        A, B = generator.normal(size=(2, inner)), generator.normal(size=(out, 2))
        W = generator.normal(size=(out, inner)).astype(np.float32)
        expected = W + 3.0 * (np.outer(B[:, 0], A[0]) + np.outer(B[:, 1], A[1]))
        np.testing.assert_allclose(merged(W, A, B, 3.0), expected, rtol=1e-6, atol=1e-6)


def test_no_second_dense_copy() -> None:
    W = np.zeros((6000, 4000), np.float32)
    A, B = np.ones((2, 4000), np.float32), np.ones((6000, 2), np.float32)
    tracemalloc.start()
    merged(W, A, B, 1.0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.6 * W.nbytes


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.filterwarnings("error")
def test_what_is_not_finite_stays_so(value: float) -> None:
    A, B = np.ones((2, 5)), np.ones((4, 2))
    B[1, 1] = value
    assert not np.isfinite(delta_core(A, B, 1.0)).all()
    assert not np.isfinite(delta(A, B, 1.0)[1]).any()
    assert np.isfinite(delta(A, B, 1.0)[0]).all()
    assert not np.isfinite(delta(A, np.ones((4, 2)), 1e300)).any()

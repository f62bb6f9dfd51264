"""Balanced matrices: the product stays, both sides have equal norms, and it does not matter where they start."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wqscore.symmetries.balancing import (
    balanced_product,
    carried,
    chain_scales,
    largest_signs,
    line_scales,
    plane_scales,
    turned_planes,
)
from wqscore.symmetries.elements import invertible

SIDES = st.integers(1, 9)


@settings(max_examples=examples(60))
@given(SIDES, SIDES, SIDES, st.integers(0, 9), st.integers(0, 99))
def test_a_balanced_product_is_one_whatever_it_is_made_of(
    size: int, first: int, second: int, lost: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((size, first)), rng.standard_normal((size, second))
    x[: min(lost, size)] = 0
    factor, inverse = invertible(size, 0.6, rng)
    found, again = balanced_product(x, y), balanced_product(factor @ x, inverse @ y)
    for one, other, given_ in zip(found, again, (x, y), strict=True):
        assert one.shape == given_.shape
        np.testing.assert_allclose(np.linalg.svd(one)[1], np.linalg.svd(other)[1], atol=1e-7)
    np.testing.assert_allclose(found[0].T @ found[1], x.T @ y, atol=1e-9)
    np.testing.assert_allclose(found[0] @ found[0].T, found[1] @ found[1].T, atol=1e-9)


@settings(max_examples=examples(60))
@given(st.integers(1, 6), st.integers(6, 9), st.integers(0, 99))
def test_biases_are_carried_along(size: int, columns: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    before, factor = rng.standard_normal((size, columns)), rng.standard_normal((size, size))
    np.testing.assert_allclose(carried(before, factor @ before), factor, atol=1e-6)


@settings(max_examples=examples(60))
@given(st.integers(0, 4), st.integers(1, 6), st.integers(0, 99))
def test_planes_and_lines_have_equal_norms(half: int, columns: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((2 * half, columns)), rng.standard_normal((2 * half, columns + 1))
    scales = plane_scales(x, y, 2 * half)[:, None]
    one, other = ((each**2).sum(axis=1).reshape(2, -1).sum(axis=0) for each in (x * scales, y / scales))
    np.testing.assert_allclose(one, other, rtol=1e-12)
    scales = line_scales(x, y)[:, None]
    np.testing.assert_allclose(np.linalg.norm(x * scales, axis=1), np.linalg.norm(y / scales, axis=1), rtol=1e-12)


@settings(max_examples=examples(60))
@given(st.integers(0, 4), st.integers(1, 6), st.integers(0, 99))
def test_planes_are_turned_alike_whatever_their_angle(half: int, columns: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((2 * half, columns)), rng.standard_normal((2 * half, columns + 1))
    angles = rng.uniform(0, 7, (half, 1))
    cosine, sine = np.cos(angles), np.sin(angles)
    before, after = (
        turned_planes(x, y, 2 * half),
        turned_planes(
            *(
                np.concatenate([cosine * e[:half] - sine * e[half:], sine * e[:half] + cosine * e[half:]])
                for e in (x, y)
            ),
            2 * half,
        ),
    )
    for one, other in zip(before, after, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)
    product = sum(x[i].reshape(-1, 1) * y[i] for i in range(2 * half))
    np.testing.assert_allclose(before[0].T @ before[1], product, atol=1e-12)


def test_a_line_that_is_zero_on_one_side_keeps_its_scale() -> None:
    found = line_scales(np.array([[0.0, 0.0], [1.0, 0.0], [4.0, 3.0]]), np.array([[1.0], [0.0], [20.0]]))
    np.testing.assert_array_equal(found, [1, 1, 2])


@settings(max_examples=examples(30))
@given(st.lists(st.integers(1, 6), min_size=3, max_size=6), st.integers(0, 99))
def test_a_chain_is_balanced_at_every_hidden_neuron(widths: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    weights = [rng.standard_normal((out, into)) for into, out in pairwise(widths)]
    scales = [*chain_scales(weights), np.ones(widths[-1])]
    before = [np.ones(widths[0]), *scales]
    found = [s[:, None] * weight / b for weight, s, b in zip(weights, scales, before, strict=False)]
    for into, out in pairwise(found):
        assert np.linalg.norm(into, axis=1) == pytest.approx(np.linalg.norm(out, axis=0), rel=1e-9)


def test_signs_are_those_of_the_largest_entries() -> None:
    rows = np.array([[1.0, -2.0], [3.0, 0.5], [0.0, 0.0], [-1.0, 1.0 + 1e-12]])
    np.testing.assert_array_equal(largest_signs(rows), [-1, 1, 1, -1])

"""Generators: their exponentials stay in the group, and what keeps the function is a projection."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.symmetries.test_elements import rotated_by_position
from wqscore.symmetries.lines import Lines
from wqscore.symmetries.pairs import Pair

pytestmark = pytest.mark.oracle("torch")
SEEDS = st.integers(0, 999)


@st.composite
def pairs(draw: st.DrawFn) -> Pair:
    size = draw(st.integers(1, 8))
    if draw(st.booleans()):
        return Pair((Lines("a", 0, 0, size),), (Lines("b", 1, 0, size),), size, is_diagonal=True)
    rotary = 2 * draw(st.integers(0, size // 2))
    return Pair((Lines("a", 0, 0, size),), (Lines("b", 1, 0, size),), size, rotary=rotary)


def _dense(generator: np.ndarray) -> np.ndarray:
    return np.diag(generator) if generator.ndim == 1 else generator


def _drawn(pair: Pair, seed: int) -> tuple[Any, np.ndarray]:
    from wqscore.landscape.equivalent import generators

    matrix = np.random.default_rng(seed).standard_normal(generators.shape(pair))
    return generators, generators.projected(pair, matrix)


@settings(max_examples=examples(60))
@given(pairs(), SEEDS, st.floats(-3, 3))
def test_the_exponential_is_inverse_and_commutes_with_positions(pair: Pair, seed: int, angle: float) -> None:
    generators, generator = _drawn(pair, seed)
    factor, inverse = map(_dense, generators.exponential(pair, generator))
    np.testing.assert_allclose(inverse.T @ factor, np.eye(pair.size), atol=1e-8)
    turn = rotated_by_position(pair.size, pair.rotary, angle)
    np.testing.assert_allclose(factor @ turn, turn @ factor, atol=1e-8)


@settings(max_examples=examples(60))
@given(pairs(), SEEDS, st.floats(0.1, 2))
def test_a_held_generator_is_the_nearest_within_the_bound(pair: Pair, seed: int, bound: float) -> None:
    generators, generator = _drawn(pair, seed)
    held = generators.held(pair, generator, bound)
    assert np.linalg.norm(_dense(held), 2) <= bound + 1e-12
    np.testing.assert_allclose(generators.projected(pair, held), held, atol=1e-12)
    _, other = _drawn(pair, seed + 1)
    other *= bound / max(np.linalg.norm(_dense(other), 2), 1e-12)
    # Of a convex set's nearest point, every other lies behind the plane through it.
    assert np.vdot(generator - held, other - held) <= 1e-10


@settings(max_examples=examples(60))
@given(pairs(), SEEDS, st.floats(0.1, 2))
def test_a_random_stretch_is_at_the_bound_in_every_direction(pair: Pair, seed: int, bound: float) -> None:
    from wqscore.landscape.equivalent import generators

    found = generators.stretch(pair, bound, np.random.default_rng(seed))
    np.testing.assert_allclose(np.abs(np.linalg.eigvalsh(_dense(found))), bound, rtol=1e-10)
    np.testing.assert_allclose(generators.projected(pair, found), found, atol=1e-12)


@settings(max_examples=examples(60))
@given(pairs(), SEEDS)
def test_the_slope_is_the_derivative_of_a_linear_function(pair: Pair, seed: int) -> None:
    """⟨D, (XB, −XᵀC)⟩ is what a function with derivatives D changes by, of any X of the group."""
    generators, generator = _drawn(pair, seed)
    rng = np.random.default_rng(seed)
    values = {"a": rng.standard_normal((pair.size, 3)), "b": rng.standard_normal((4, pair.size))}
    derivatives = {name: rng.standard_normal(each.shape) for name, each in values.items()}
    moved = {"a": _dense(generator) @ values["a"], "b": -(_dense(generator).T @ values["b"].T).T}
    expected = sum(np.vdot(derivatives[name], moved[name]) for name in values)
    found = np.vdot(generators.slope(pair, values, derivatives), generator)
    assert found == pytest.approx(expected, rel=1e-10, abs=1e-10)


@settings(max_examples=examples(60))
@given(pairs(), SEEDS, st.floats(0.1, 2))
def test_the_steepest_generator_reaches_the_dual_norm_of_the_slope(pair: Pair, seed: int, size: float) -> None:
    """Of all X with singular values up to a size, ⟨slope, X⟩ is at most the size times the slope's nuclear norm."""
    generators, slope = _drawn(pair, seed)
    slope = (slope + slope.T) / 2
    found = generators.steepest(pair, slope, size)
    assert np.linalg.norm(_dense(found), 2) <= size * (1 + 1e-12)
    assert np.vdot(slope, found) == pytest.approx(size * np.linalg.norm(_dense(slope), "nuc"), rel=1e-10)
    np.testing.assert_allclose(generators.projected(pair, found), found, atol=1e-10)
    assert not generators.steepest(pair, slope, size, least=100.0).any()

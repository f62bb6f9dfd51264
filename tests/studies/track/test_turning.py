"""Turning points: planted ones are found where they are, noise has none, and the interval is of the matrices."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wqscore.studies.track.turning import find_turns, moving_median

ROLES = ["a"] * 20 + ["b"] * 20


def run(course: list[float], noise: float = 0.0, matrices: int = 40, seed: int = 0) -> np.ndarray:
    """Values of matrices that differ from each other, and move along a course with noise of their own."""
    rng = np.random.default_rng(seed)
    own = rng.normal(0, 1, matrices)
    return np.array([own + value + rng.normal(0, noise, matrices) for value in course])


def medians_of_three(values: list[float]) -> list[float]:
    """By its definition: of each value and the neighbours that it has."""
    return [float(np.median(values[max(i - 1, 0) : i + 2])) for i in range(len(values))]


@settings(max_examples=examples(60))
@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=12))
def test_the_moving_median_is_that_of_three(values: list[float]) -> None:
    np.testing.assert_allclose(moving_median(np.array(values)), medians_of_three(values))


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("statistic", ["median", "mean"])
def test_a_planted_turn_is_found(sign: int, statistic: str) -> None:
    course = [sign * abs(step - 4) for step in range(10)]
    (turn,) = find_turns(run([*map(float, course)], noise=0.3), ROLES, statistic, 0)  # type: ignore[arg-type]
    assert (turn.place, turn.kind) == (4, "lowest" if sign == 1 else "highest")
    assert turn.first <= 4 <= turn.last
    assert turn.last - turn.first <= 2
    assert turn.size > turn.width > 0


def test_a_metric_that_turns_twice_has_two_points() -> None:
    turns = find_turns(run([3.0, 2, 1, 0, 1, 3, 5, 4, 3]), ROLES, "median", 0)
    assert [(turn.kind, turn.place) for turn in turns] == [("lowest", 3), ("highest", 6)]


@pytest.mark.parametrize(
    "course",
    [
        [5.0, 4, 3, 2, 1],
        [5.0, 4, 3, 2, 4],
        [1.0, 1, 1, 1, 1],
        [3.0, 3, 9, 3, 3],
        [2.0, 1, 2],
    ],
)
def test_a_course_without_a_turn_has_none(course: list[float]) -> None:
    """One that goes on, one whose last value alone is off, a constant, a single spike, and too few steps."""
    assert find_turns(run(course), ROLES, "median", 0) == ()


def test_few_matrices_have_no_turn() -> None:
    values = run([4.0, 3, 2, 3, 4, 5], matrices=5)
    assert find_turns(values, ["a"] * 5, "median", 0) == ()
    assert find_turns(run([4.0, 3, 2, 3, 4, 5], matrices=6), ["a"] * 6, "median", 0)


def test_a_turn_of_less_than_the_interval_is_not_reported() -> None:
    course = [0.3 * abs(step - 3) for step in range(7)]
    assert find_turns(run(course, noise=0.02), ROLES, "mean", 0)
    assert find_turns(run(course, noise=3.0), ROLES, "mean", 0) == ()


def test_noise_has_hardly_any_turn() -> None:
    """Of fifty runs of ten steps of noise alone, at most one has one."""
    found = [find_turns(run([0.0] * 10, noise=1.0, seed=seed), ROLES, "median", 0) for seed in range(50)]
    assert sum(bool(turns) for turns in found) <= 1


def test_the_draws_are_those_of_the_seed() -> None:
    values = run([float(abs(step - 4)) for step in range(9)], noise=0.4)
    one, again, other = (find_turns(values, ROLES, "median", seed)[0] for seed in (1, 1, 2))
    assert one == again
    assert one.place == other.place and one.width != other.width


@settings(max_examples=examples(20))
@given(st.integers(4, 9), st.integers(0, 10**6))
def test_a_turn_lies_within_its_interval_and_off_the_ends(steps: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = run([*rng.normal(0, 2, steps)], noise=0.2, seed=seed)
    for turn in find_turns(values, ROLES, "median", seed):
        assert 0 < turn.place < steps - 1
        assert 0 <= turn.first <= turn.place <= turn.last < steps
        assert turn.size > turn.width >= 0

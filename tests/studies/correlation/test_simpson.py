"""Simpson's warning: seldom for groups of one correlation, always for a true reversal."""

from __future__ import annotations

import numpy as np
import pytest

from wqscore.studies.correlation.row import correlate_row
from wqscore.studies.correlation.simpson import SignFlip, chi_squared_above, find_flip


def flip_of(groups: list[tuple[np.ndarray, np.ndarray]]) -> SignFlip | None:
    x, y = (np.concatenate(column) for column in zip(*groups, strict=True))
    rows = [correlate_row("alpha", None, x, y, None, None, 0)]
    rows += [correlate_row("alpha", str(k), *group, None, None, 0) for k, group in enumerate(groups)]
    return find_flip(rows, groups, 0)


def group(rng: np.random.Generator, size: int, rho: float, shift: float) -> tuple[np.ndarray, np.ndarray]:
    x = rng.standard_normal(size)
    return x + shift, rho * x + np.sqrt(1 - rho**2) * rng.standard_normal(size) + shift


@pytest.mark.parametrize("rho", [0.0, 0.5])
def test_groups_of_one_correlation_seldom_raise_it(rho: float) -> None:
    rng = np.random.default_rng(3)
    flips = [flip_of([group(rng, 4, rho, 0.0) for _ in range(6)]) for _ in range(15)]
    assert sum(flip is not None for flip in flips) >= 5
    assert sum(flip is not None and flip.is_evident(1) for flip in flips) <= 1


def test_a_true_reversal_raises_it() -> None:
    rng = np.random.default_rng(4)
    flip = flip_of([group(rng, 6, -0.9, 3.0 * k) for k in range(5)])
    assert flip is not None
    assert flip.pooled.sign == 1
    assert len(flip.flipped) == 5
    assert flip.is_evident(20)


def test_one_group_that_is_clearly_reversed_raises_it() -> None:
    rng = np.random.default_rng(5)
    flip = flip_of([*(group(rng, 8, 0.9, 0.0) for _ in range(4)), group(rng, 8, -0.99, 0.0)])
    assert flip is not None
    assert flip.is_evident(1)


@pytest.mark.parametrize(("degrees", "point"), [(1, 3.8415), (2, 5.9915), (5, 11.0705), (12, 21.0261), (31, 44.9853)])
def test_the_points_of_chi_squared_are_those_of_the_tables(degrees: int, point: float) -> None:
    assert chi_squared_above(point, degrees) == pytest.approx(0.05, abs=1e-5)
    assert chi_squared_above(0.0, degrees) == 1

"""The granulated correlation on grids whose answer follows from how they are made."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from wqscore.studies.correlation.granulated import granulate

GRID = list(product(range(3), range(4)))
AXES = {"depth": [str(depth) for depth, _ in GRID], "width": [str(width) for _, width in GRID]}


def test_each_axis_has_its_own_sign() -> None:
    """Up with depth, down with width; y the other way round along width only."""
    x = np.array([10.0 * depth - width for depth, width in GRID])
    y = np.array([10.0 * depth + width for depth, width in GRID])
    found = granulate("x", x, y, AXES)
    assert [(axis.axis, axis.tau, axis.cells, axis.n) for axis in found.axes] == [
        ("depth", 1.0, 4, 12),
        ("width", -1.0, 3, 12),
    ]
    assert found.tau == 0.0


def test_a_cell_that_orders_nothing_is_not_counted() -> None:
    """x follows depth alone: along width it is the same throughout."""
    x = np.array([float(depth) for depth, _ in GRID])
    y = np.array([10.0 * depth + width for depth, width in GRID])
    found = granulate("x", x, y, AXES)
    assert [(axis.tau, axis.cells, axis.n) for axis in found.axes] == [(1.0, 4, 12), (None, 0, 0)]
    assert found.tau == 1.0
    assert granulate("x", np.zeros(12), y, AXES).tau is None


def test_an_incomplete_grid_averages_over_its_cells() -> None:
    """Depth 0 in order (tau 1), depth 1 with one of three pairs reversed (1/3), depth 2 alone."""
    x = np.array([1.0, 2.0, 3.0, 1.0, 3.0, 2.0, 5.0])
    y = np.array([1.0, 2.0, 3.0, 1.0, 2.0, 3.0, 5.0])
    axes = {"depth": list("0001112"), "width": list("abcabca")}
    found = granulate("x", x, y, axes).axes[1]
    assert found.tau == pytest.approx((1 + 1 / 3) / 2)
    assert (found.cells, found.n) == (2, 6)

"""The benchmark of double descent: its ridge regression against other solvers, and what it is to show."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.zoo.double_descent import FIXED, LAMBDAS, WIDTHS, data, double_descent, features, ridge


@pytest.mark.parametrize("width", [40, 100, 200])
def test_ridge_is_that_of_least_squares_on_more_rows(width: int) -> None:
    """Rows √λ·I with targets 0 are the penalty; and the gradient is 0 there."""
    drawn = data(3)
    rows, targets = features(drawn.train[0], 3, width), drawn.train[1]
    strengths = np.array([0.01, FIXED, 30.0])
    for weights, strength in zip(ridge(rows, targets, strengths).T, strengths, strict=True):
        more = np.vstack([rows, np.sqrt(strength) * np.eye(width)])
        solved = np.linalg.lstsq(more, np.append(targets, np.zeros(width)), rcond=None)[0]
        np.testing.assert_allclose(weights, solved, rtol=0, atol=1e-8 * abs(solved).max())
        slope = rows.T @ (rows @ weights - targets) + strength * weights
        assert abs(slope).max() < 1e-10 * abs(rows.T @ targets).max()


def test_the_peak_is_where_width_is_n_and_goes_where_lambda_is_tuned() -> None:
    found = double_descent(seeds=8)
    ridgeless, tuned = (np.array(found[name]) for name in ("ridgeless", "tuned"))
    assert ridgeless.shape == tuned.shape == (8, len(WIDTHS)) and found["n"] == 100
    middle = np.median(ridgeless, axis=0)
    peak = int(middle.argmax())
    assert abs(WIDTHS[peak] - 100) <= 10 and middle[peak] > 3 * middle[:peak].min()
    rises = np.diff(tuned, axis=1)
    assert (rises.mean(axis=0) <= 2 * rises.std(axis=0, ddof=1) / np.sqrt(len(rises))).all()
    assert set(found["lambda"]) <= set(LAMBDAS)  # type: ignore[call-overload]

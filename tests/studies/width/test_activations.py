"""What is known of activations against their own values, and against torch's and transformers'."""

from __future__ import annotations

import numpy as np
import pytest

from tests.oracles import Oracle
from wqscore.errors import UsageError
from wqscore.studies.width.activations import KNOWN, Activation, find_activation, named_activation

torch = Oracle("torch")
transformers_activations = Oracle("transformers.activations")
POINTS = np.linspace(-30, 30, 2_001)


def values(activation: Activation, points: np.ndarray) -> np.ndarray:
    return np.array([activation.value(float(point)) for point in points])


@pytest.mark.parametrize("name", KNOWN)
def test_no_slope_is_larger_than_is_said(name: str) -> None:
    activation = KNOWN[name]
    for radius in (0.5, 3.0, 30.0):
        points = POINTS[np.abs(POINTS) <= radius]
        slopes = np.abs(np.diff(values(activation, points)) / np.diff(points))
        assert slopes.max() <= activation.slope(radius) * (1 + 1e-9)
    assert activation.slope(30.0) < 1.02 * slopes.max() + 0.01


@pytest.mark.parametrize("name", KNOWN)
def test_scale_and_sign_pass_through_exactly_where_it_is_said(name: str) -> None:
    activation = KNOWN[name]
    points = np.array([-2.0, -0.3, 0.7, 1.9, 5.5])
    scaled = {degree: 1.7**degree * values(activation, points) for degree in (1, 2)}
    passing = [degree for degree, each in scaled.items() if values(activation, 1.7 * points) == pytest.approx(each)]
    assert passing == ([activation.degree] if activation.degree else [])
    is_odd = values(activation, -points) == pytest.approx(-values(activation, points), abs=1e-12)
    assert is_odd == activation.is_odd


@pytest.mark.oracle("torch", "transformers")
def test_transformers_names_mean_what_they_compute() -> None:
    tried = 0
    for name in transformers_activations.ACT2FN:
        activation = find_activation(name)
        if activation is None:
            continue
        points = torch.linspace(-5, 5, 101, dtype=torch.float64)
        expected = transformers_activations.ACT2FN[name](points).numpy()
        assert values(activation, points.numpy()) == pytest.approx(expected, abs=2e-3), name
        tried += 1
    assert tried > 15


@pytest.mark.parametrize("name", ["glorp", "", "xielu", "prelu", "gelu_10"])
def test_what_is_not_known_is_not_guessed(name: str) -> None:
    assert find_activation(name) is None
    with pytest.raises(UsageError, match="no such activation"):
        named_activation(name)

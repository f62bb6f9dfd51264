"""φ and ψ against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from tests.landscape import losses
from tests.oracles import Oracle

torch = Oracle("torch")
pytestmark = pytest.mark.oracle("torch")


def test_phi_of_a_quadratic_bowl() -> None:
    """At its bottom the rise at distance t is t²·Σ a_i·d_i²/2: on average t²·mean(a)/2."""
    from wqscore.landscape.sharpness import sharpness

    scales = np.array([1.0, 2.0, 3.0, 10.0, 4.0])
    radii = [0.1, 0.5, 1.0]
    found = sharpness(losses.quadratic(scales, np.zeros(5)), radii, directions=2000)
    expected = np.mean(np.square(radii)) * scales.mean() / 2
    assert abs(found.value - expected) < 4 * found.standard_error < 0.1 * expected
    steps = np.arange(0.001, 0.2, 0.01)
    round_bowl = sharpness(losses.quadratic(np.full(4, 6.0), np.zeros(4)), directions=3)
    assert round_bowl.value == pytest.approx(3 * np.mean(steps**2), rel=1e-9)
    assert round_bowl.standard_error < 1e-15


def test_the_curvature_of_one_scaled_unit_is_that_of_a_hyperbola() -> None:
    """One unit with incoming a and outgoing b moves on (a·e^s, b·e^−s); a = b: curvature at the vertex 1/(√2·a)."""
    from wqscore.landscape.sharpness import orbit_curvature

    model = losses.network([1, 1, 1], bias=False).model
    with torch.no_grad():
        model[0].weight.fill_(3.0)
        model[2].weight.fill_(3.0)
    assert orbit_curvature(model, [torch.tensor([1.0])]) == pytest.approx(1 / (3 * np.sqrt(2)), rel=1e-12)
    with torch.no_grad():
        model[2].weight.fill_(0.5)
    s = 1e-4
    points = np.array([[3 * np.exp(t), 0.5 * np.exp(-t)] for t in (-s, 0, s)])
    first, second = (points[2] - points[0]) / (2 * s), (points[2] - 2 * points[1] + points[0]) / s**2
    cross = abs(first[0] * second[1] - first[1] * second[0])
    assert orbit_curvature(model, [torch.tensor([2.5])]) == pytest.approx(
        cross / np.linalg.norm(first) ** 3, rel=1e-6
    )


def test_a_middle_layers_rate_is_of_its_rows_less_of_its_columns() -> None:
    from wqscore.landscape.sharpness import curvature, orbit_curvature

    model = losses.network([3, 4, 5, 2]).model
    rates = [torch.linspace(-1, 1, 4, dtype=torch.float64), torch.linspace(0.5, -2, 5, dtype=torch.float64)]

    def path(s: float) -> np.ndarray:
        a, b = ((s * rate).exp() for rate in rates)
        first, last = model[0], model[4]
        middle = b[:, None] * model[2].weight / a
        parts = (a[:, None] * first.weight, a * first.bias, middle, b * model[2].bias, last.weight / b, last.bias)
        return np.concatenate([part.detach().numpy().ravel() for part in parts])

    h = 1e-4
    once, twice = (path(h) - path(-h)) / (2 * h), (path(h) - 2 * path(0.0) + path(-h)) / h**2
    squares = (once @ once) * (twice @ twice) - (once @ twice) ** 2
    assert orbit_curvature(model, rates) == pytest.approx(np.sqrt(squares) / (once @ once) ** 1.5, rel=1e-5)
    value, error = curvature(model, seed=1)
    assert 0 < error < value / 5
    with pytest.raises(ValueError, match="needs"):
        orbit_curvature(model, rates[:1])

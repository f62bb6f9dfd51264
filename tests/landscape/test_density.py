"""The spectral density: of a quadratic whose eigenvalues are known, and its moments."""

from __future__ import annotations

import numpy as np
import pytest

from tests.landscape.made import landscape, network, point, point_task, task_of, torch
from tests.oracles import Oracle
from wqscore.errors import UsageError

pytestmark = pytest.mark.oracle("torch", "scipy")
hessian = Oracle("wqscore.landscape.hessian")


def test_a_quadratic_of_three_values_has_three_nodes() -> None:
    curvatures = torch.tensor([-1.0] * 50 + [2.0] * 100 + [7.0] * 50).double()
    task = point_task(point(*[0.0] * 200), lambda w: (curvatures * w**2).sum(1) / 2)
    found = landscape.spectral_density(task, probes=3, steps=20)
    assert np.allclose(found.nodes[:, :3], [-1, 2, 7], rtol=1e-10)
    # Of a diagonal every probe of signs has exactly the shares.
    assert np.allclose(found.weights[:, :3], [0.25, 0.5, 0.25], rtol=1e-10)
    assert np.isnan(found.nodes[:, 3:]).all()
    assert found.share_below(0) == (pytest.approx(0.25), pytest.approx(0, abs=1e-12))
    at = np.linspace(-3, 10, 2001)
    assert np.trapezoid(found.smooth(at, 0.2), at) == pytest.approx(1, rel=1e-6)


def test_its_moments_are_those_of_the_whole_matrix() -> None:
    task = task_of(network(8, 4, 3))
    whole = hessian.products(task)(np.eye(51))
    found = landscape.spectral_density(task, probes=4, steps=8)
    for power in (1, 2, 3):
        moments = (found.weights * np.nan_to_num(found.nodes) ** power).sum(axis=1)
        expected = []
        signs = np.random.default_rng(0)
        for _ in range(4):
            z = signs.choice([-1.0, 1.0], size=51) / 51**0.5
            expected.append(z @ np.linalg.matrix_power(whole, power) @ z)
        assert np.allclose(moments, expected, rtol=1e-8, atol=1e-12)


def test_a_flat_loss_is_one_node_at_zero() -> None:
    found = landscape.spectral_density(point_task(point(*[1.0] * 30), lambda w: w.sum(1)), probes=2)
    assert (found.nodes[:, 0] == 0).all()
    assert np.allclose(found.weights[:, 0], 1)


def test_numbers_out_of_range_are_refused() -> None:
    with pytest.raises(UsageError, match="probes is 1 and steps 60"):
        landscape.spectral_density(task_of(network(8, 3)), probes=1)

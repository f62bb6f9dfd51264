"""PACGen against losses whose Hessian, and whose change, are known."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.landscape import losses
from tests.oracles import Oracle

torch = Oracle("torch")
pytestmark = pytest.mark.oracle("torch")


def test_a_quadratic_loss_has_no_rho_and_a_closed_form() -> None:
    from wqscore.landscape.pacgen import pacgen

    scales, weights = np.array([3.0, -2.0, 0.5, 40.0, 0.0]), np.array([0.3, -1.0, 2.0, 0.1, 0.7])
    found = pacgen(losses.quadratic(scales, weights), eta=50.0, delta=0.1, tau=4.0)
    kappa = 0.1 * abs(weights) + 0.1
    curvature = np.sqrt(np.maximum(scales, 0))
    assert found.rho == 0 and found.n_negative == 1
    assert found.pacgen == pytest.approx(
        np.log((abs(weights) + kappa) * np.maximum(curvature, 1 / kappa)).sum(), rel=1e-9
    )
    assert found.saturated == np.mean(curvature <= 1 / kappa)
    sigma = np.minimum(kappa, 1 / np.sqrt(np.maximum(50 * np.maximum(scales, 0) / 3, 1e-300)))
    kl = np.log(4 / sigma).sum()
    bound = (scales * weights**2).sum() / 2 + (np.maximum(scales, 0) * sigma**2).sum() / 6
    assert found.kl == pytest.approx(kl, rel=1e-9)
    assert found.pacgen_bound == pytest.approx(bound + (kl + math.log(10)) / 50 + 50 / 8 / losses.EXAMPLES, rel=1e-9)
    assert found.is_bound and not pacgen(losses.quadratic(scales, weights)).is_bound
    assert found.gradient_norm == pytest.approx(np.linalg.norm(scales * weights), rel=1e-12)


@pytest.mark.parametrize("m", [1, 2, 7, 30])
def test_rho_of_a_cubic_loss_is_the_ratio_of_norms(m: int) -> None:
    """H = diag(w), so that a draw is max|u|/‖u‖: 1 for one weight, in [1/√m, 1] for more."""
    from wqscore.landscape.pacgen import pacgen

    found = pacgen(losses.cubic(np.linspace(-1, 2, m)), seed=3)
    assert len(found.rho_draws) == 8
    assert all(m**-0.5 - 1e-12 <= ratio <= 1 + 1e-12 for ratio in found.rho_draws)
    assert m > 1 or found.rho == pytest.approx(1, rel=1e-12)
    assert found.rho == max(found.rho_draws)


@settings(max_examples=examples(30), deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(1, 1e5), st.floats(0, 10), st.floats(0.5, 2))
def test_no_other_noise_makes_the_bound_smaller(seed: int, eta: float, rho: float, factor: float) -> None:
    from wqscore.landscape.noise_levels import box, noise_levels

    rng = np.random.default_rng(seed)
    weights, diagonal = (torch.tensor(rng.standard_normal(12)) for _ in range(2))
    kappa = box(weights, 0.1, 0.1)

    def terms(sigma: object) -> float:
        """What of the bound depends on σ."""
        squares = torch.as_tensor(sigma).square()
        moved = (diagonal.clamp_min(0) * squares).sum() / 6 + rho * kappa.norm() * squares.sum() / 18
        return float(moved - torch.as_tensor(sigma).log().sum() / eta)

    best = noise_levels(weights, diagonal, rho, eta)
    assert (best <= kappa).all()
    other = torch.minimum(best * factor ** torch.tensor(rng.standard_normal(12)), kappa)
    assert terms(best) <= terms(other) * (1 + 1e-12 * np.sign(terms(other))) + 1e-12


def test_rescaling_a_relu_network_moves_it_as_the_exact_diagonal_says() -> None:
    """Dinh et al., 1703.04933: rows times 4 and columns over 4 leave the function alone."""
    from wqscore.landscape.flat import FlatLoss
    from wqscore.landscape.pacgen import pacgen

    task = losses.network([5, 4, 3])
    before = FlatLoss(task).diagonal(FlatLoss(task).weights)
    with torch.no_grad():
        task.model[0].weight *= 4
        task.model[0].bias *= 4
        task.model[2].weight /= 4
    after = FlatLoss(task).diagonal(FlatLoss(task).weights)
    factors = torch.cat([torch.full((24,), 1 / 16.0), torch.full((12,), 16.0), torch.ones(3)])
    torch.testing.assert_close(after, before * factors.to(before), rtol=1e-9, atol=1e-12)
    weights = FlatLoss(task).weights
    kappa = 0.1 * weights.abs() + 0.1
    curvature = (after.clamp_min(0) + 0.25 * kappa.norm()).sqrt()
    expected = ((weights.abs() + kappa) * torch.maximum(curvature, 1 / kappa)).log().sum()
    assert pacgen(task, rho=0.25).pacgen == pytest.approx(float(expected), rel=1e-9)


def test_an_estimated_diagonal_is_within_its_error(monkeypatch: pytest.MonkeyPatch) -> None:
    module = import_module("wqscore.landscape.pacgen")
    task = losses.network([5, 6, 3])
    exact = module.pacgen(task, rho=0.5, eta=1e4)
    monkeypatch.setattr(module, "EXACT", 10)
    drawn = module.pacgen(task, rho=0.5, eta=1e4)
    assert exact.diagonal_error == 0 < drawn.diagonal_error < 0.1
    assert drawn.pacgen == pytest.approx(exact.pacgen, rel=0.02)


def test_a_prior_that_does_not_hold_the_box_is_refused() -> None:
    from wqscore.landscape.pacgen import pacgen

    with pytest.raises(ValueError, match="tau is smaller"):
        pacgen(losses.cubic(np.array([1.0, 2.0])), tau=1.0)
    with pytest.raises(ValueError, match="delta is 1"):
        pacgen(losses.cubic(np.array([1.0])), delta=1.0)


def test_second_derivatives_of_a_layer_norm_are_differences_of_gradients() -> None:
    """Those of torch.func are not, in torch 2.13."""
    from wqscore.landscape.flat import FlatLoss

    task = losses.network([5, 4, 3], "Tanh")
    norm = torch.nn.LayerNorm(4, dtype=torch.float64)
    task = replace(task, model=torch.nn.Sequential(task.model[0], norm, *task.model[1:]))
    loss = FlatLoss(task)
    weights, h = loss.weights, 1e-5
    for place, found in enumerate(loss.diagonal(weights)):
        unit = torch.zeros_like(weights)
        unit[place] = 1
        moved = (loss.gradient(weights + h * unit) - loss.gradient(weights - h * unit)) / (2 * h)
        torch.testing.assert_close(loss.product(weights, unit), moved, rtol=1e-5, atol=1e-8)
        assert float(found) == pytest.approx(float(moved[place]), rel=1e-5, abs=1e-8)


def test_weights_in_float32_are_as_saturated_as_in_float64() -> None:
    from wqscore.landscape.pacgen import pacgen

    task = losses.network([5, 4, 3], "Tanh")
    single = replace(
        task,
        model=copy.deepcopy(task.model).float(),
        batches=[(inputs.float(), targets) for inputs, targets in task.batches],
    )
    exact, rounded = (pacgen(each, rho=0.5) for each in (task, single))
    assert rounded.saturated_bound == exact.saturated_bound > 0

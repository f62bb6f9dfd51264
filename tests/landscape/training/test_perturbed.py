"""The perturbed optimizer: where the noise goes, and that it leaves no trace."""

from __future__ import annotations

import numpy as np
import pytest

from tests.landscape import losses
from tests.oracles import Oracle

torch = Oracle("torch")
pytestmark = pytest.mark.oracle("torch")


def _noise(scales: np.ndarray, calls: int = 400, **given: float) -> np.ndarray:
    """The noise of many calls on a quadratic loss, shape (calls, parameters)."""
    from wqscore.landscape.training.perturbed import PerturbedOptimizer

    task = losses.quadratic(scales, np.linspace(-1, 1, len(scales)))
    weights = task.model.weights
    before = weights.detach().clone()
    optimizer = PerturbedOptimizer(torch.optim.SGD([weights], lr=0.1), **given)
    found = []
    for _ in range(calls):
        optimizer.perturb(lambda: task.loss(task.model(task.batches[0][0]), None))
        found.append((weights.detach() - before).numpy().copy())
        optimizer.restore()
        assert torch.equal(weights, before)
    return np.array(found)


def test_noise_is_uniform_up_to_the_level_that_the_curvature_allows() -> None:
    scales = np.array([0.0, 3.0, 3000.0, -5.0])
    weights = np.linspace(-1, 1, 4)
    levels = np.minimum(0.1 * abs(weights) + 0.1, 1 / np.sqrt(np.maximum(500 * np.maximum(scales, 0) / 3, 1e-300)))
    noise = _noise(scales, eta=500.0)
    assert (abs(noise) <= levels).all()
    np.testing.assert_allclose(abs(noise).max(axis=0), levels, rtol=0.03)
    np.testing.assert_allclose(noise.std(axis=0), levels / np.sqrt(3), rtol=0.1)


def test_isotropic_noise_takes_no_look_at_the_loss() -> None:
    noise = _noise(np.array([1.0, 1e6]), isotropic=0.2)
    np.testing.assert_allclose(abs(noise).max(axis=0), [0.2, 0.2], rtol=0.03)


def test_a_step_from_perturbed_weights_is_refused() -> None:
    from wqscore.landscape.training.perturbed import PerturbedOptimizer

    task = losses.network([4, 3])
    inputs, targets = task.batches[0]
    optimizer = PerturbedOptimizer(torch.optim.SGD(task.model.parameters(), lr=0.1))
    optimizer.perturb(lambda: task.loss(task.model(inputs), targets))
    for call in (optimizer.step, lambda: optimizer.perturb(lambda: task.loss(task.model(inputs), targets))):
        with pytest.raises(RuntimeError, match="perturbed"):
            call()
    before = [each.detach().clone() for each in task.model.parameters()]
    task.loss(task.model(inputs), targets).backward()
    optimizer.restore()
    restored = [each.detach().clone() for each in task.model.parameters()]
    optimizer.step()
    for each, old, moved in zip(task.model.parameters(), restored, before, strict=True):
        torch.testing.assert_close(each.detach(), old - 0.1 * each.grad, rtol=1e-12, atol=0)
        assert not torch.equal(old, moved)
    optimizer.zero_grad()
    assert all(each.grad is None for each in task.model.parameters())

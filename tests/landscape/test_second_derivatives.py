"""Second derivatives of attention, which torch's fused kernels have none of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.oracles import Oracle

torch = Oracle("torch")
landscape = Oracle("wqscore.landscape")
pytestmark = pytest.mark.oracle("torch")


def attending() -> Any:
    """A task of one layer of attention, with a parameter that no loss depends on."""

    class Attending(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.idle, self.mix = torch.nn.Parameter(torch.ones(1)), torch.nn.Linear(4, 12)

        def forward(self, inputs: Any) -> Any:
            parts = self.mix(inputs).unflatten(-1, (3, 1, 4)).permute(2, 0, 3, 1, 4)
            return torch.nn.functional.scaled_dot_product_attention(*parts, is_causal=True).mean((1, 2))

    torch.manual_seed(0)
    model = Attending().double()
    inputs, targets = torch.randn(6, 5, 4, dtype=torch.float64), torch.randint(0, 4, (6,))
    return landscape.Task(model, [(inputs, targets)], torch.nn.functional.cross_entropy)


def test_products_are_differences_of_gradients() -> None:
    from wqscore.landscape.flat import FlatLoss

    loss = FlatLoss(attending())
    weights, h = loss.weights, 1e-5
    along = torch.linspace(-1, 1, len(weights), dtype=torch.float64)
    moved = (loss.gradient(weights + h * along) - loss.gradient(weights - h * along)) / (2 * h)
    torch.testing.assert_close(loss.product(weights, along), moved, rtol=1e-5, atol=1e-9)


def test_noise_is_smaller_where_the_loss_is_curved() -> None:
    from wqscore.landscape.training.perturbed import PerturbedOptimizer

    task = attending()
    (inputs, targets), weights = task.batches[0], list(task.model.parameters())
    before = torch.cat([each.detach().flatten() for each in weights]).numpy()
    box = 0.1 * np.abs(before) + 0.1
    optimizer = PerturbedOptimizer(torch.optim.SGD(weights, lr=0.1), eta=1e5)
    noise = []
    for _ in range(100):
        optimizer.perturb(lambda: task.loss(task.model(inputs), targets))
        noise.append(np.abs(torch.cat([each.detach().flatten() for each in weights]).numpy() - before))
        optimizer.restore()
    largest = np.max(noise, axis=0)
    np.testing.assert_array_less(largest, box * (1 + 1e-9))
    assert largest[0] == pytest.approx(box[0], rel=0.05), "no loss depends on it"
    assert (largest / box)[-4:].max() < 0.2, "all outputs depend on the values' biases"

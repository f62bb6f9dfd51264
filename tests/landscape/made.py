"""Small networks with a loss whose answers are known or cheap to compute by other means."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from tests.oracles import Oracle

torch = Oracle("torch")
landscape = Oracle("wqscore.landscape")


def examples_of(count: int = 60, inputs: int = 8, classes: int = 3, seed: int = 0) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((count, inputs))
    y = (x[:, :classes] + 0.5 * rng.standard_normal((count, classes))).argmax(1)
    return torch.from_numpy(x), torch.from_numpy(y)


def network(*widths: int, seed: int = 0, activation: str = "Tanh", bias: bool = True) -> Any:
    """An MLP in float64."""
    torch.manual_seed(seed)
    layers = []
    for one, other in pairwise(widths):
        layers += [torch.nn.Linear(one, other, bias=bias), getattr(torch.nn, activation)()]
    return torch.nn.Sequential(*layers[:-1]).double()


def wrong(output: Any, targets: Any) -> Any:
    return 100 * (output.argmax(1) != targets).double().mean()


def task_of(model: Any, cuts: tuple[int, ...] = (25, 35), **options: Any) -> Any:
    x, y = examples_of(sum(cuts), model[0].in_features, model[-1].out_features, **options)
    batches = list(zip(x.split(cuts), y.split(cuts), strict=True))
    return landscape.Task(model, batches, torch.nn.functional.cross_entropy, wrong)


def trained(model: Any, task: Any, steps: int = 150, lr: float = 0.02) -> Any:
    optimiser = torch.optim.Adam(model.parameters(), lr=lr)
    x = torch.cat([inputs for inputs, _ in task.batches])
    y = torch.cat([targets for _, targets in task.batches])
    for _ in range(steps):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()
        optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    return model


def point(*values: float) -> Any:
    """A model that answers its own parameter, whatever it is asked."""

    class Point(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.w = torch.nn.Parameter(torch.tensor(values, dtype=torch.float64))

        def forward(self, inputs: Any) -> Any:
            return self.w.expand(len(inputs), -1)

    return Point()


def point_task(model: Any, loss: Any, error: Any = None, count: int = 4) -> Any:
    """A task of a `point`: the loss takes outputs alone, a row for each example."""
    batch = (torch.zeros(count, 1).double(), torch.zeros(count))
    return landscape.Task(
        model, [batch], lambda w, _: loss(w).mean(), error and (lambda w, _: error(w).double().mean())
    )

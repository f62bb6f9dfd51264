"""Tasks whose answers are known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tests.oracles import Oracle

torch = Oracle("torch")
EXAMPLES = 10


def _of_weights(weights: np.ndarray, loss: Any) -> Any:
    """A task whose loss is a function of the weights alone, given in two batches."""
    from wqscore.landscape.task import Task

    class Weights(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.weights = torch.nn.Parameter(torch.tensor(weights, dtype=torch.float64))

        def forward(self, inputs: Any) -> Any:
            return self.weights.expand(len(inputs), -1)

    batches = [(torch.zeros(size, 1), torch.zeros(size)) for size in (4, EXAMPLES - 4)]
    return Task(Weights(), batches, lambda output, _: loss(output).sum(dim=1).mean())


def quadratic(scales: np.ndarray, weights: np.ndarray) -> Any:
    """L = ½Σ a_i·w_i²: the Hessian is diag(a) everywhere."""
    return _of_weights(weights, lambda output: output**2 * torch.tensor(scales) / 2)


def cubic(weights: np.ndarray) -> Any:
    """L = Σ w_i³/6: the Hessian is diag(w)."""
    return _of_weights(weights, lambda output: output**3 / 6)


def network(
    widths: Sequence[int], activation: str = "ReLU", seed: int = 0, examples: int = 20, bias: bool = True
) -> Any:
    """A network in float64 on random inputs and classes, cross-entropy, in batches of 12 and the rest."""
    from wqscore.landscape.task import Task

    torch.manual_seed(seed)
    layers = []
    for rows, columns in zip(widths[1:], widths[:-1], strict=True):
        layers += [torch.nn.Linear(columns, rows, bias=bias, dtype=torch.float64), getattr(torch.nn, activation)()]
    inputs = torch.randn(examples, widths[0], dtype=torch.float64)
    targets = torch.randint(0, widths[-1], (examples,))
    batches = [(inputs[:12], targets[:12]), (inputs[12:], targets[12:])]
    return Task(torch.nn.Sequential(*layers[:-1]), batches, torch.nn.functional.cross_entropy)

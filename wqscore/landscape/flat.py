"""A task's loss as a function of all trained parameters in one vector, with its derivatives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property, partial
from typing import Any

import torch
from torch.func import grad, vmap

from wqscore.landscape.task import Task, outputs, trainable

#: Hessian products that are computed together.
_TOGETHER = 64


class FlatLoss:
    """The mean loss over a task's batches at any weights; the model's own stay as they are.

    Args:
        task: in evaluation mode; the parameters that need a gradient are the vector's entries, in the model's order.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self._parameters: dict[str, torch.Tensor] = trainable(task.model)

    @cached_property
    def weights(self) -> torch.Tensor:
        """The model's weights, shape (m,)."""
        return torch.cat([each.detach().flatten() for each in self._parameters.values()])

    def value(self, weights: torch.Tensor) -> torch.Tensor:
        """The mean loss at some weights; a scalar."""
        with torch.no_grad():
            return sum(
                (share * self._loss(weights, *batch) for share, batch in self._batches()), weights.new_zeros(())
            )

    def gradient(self, weights: torch.Tensor) -> torch.Tensor:
        """Its gradient, shape (m,)."""
        of_batch = grad(self._loss)
        return sum((share * of_batch(weights, *batch) for share, batch in self._batches()), torch.zeros_like(weights))

    def product(self, weights: torch.Tensor, vector: torch.Tensor) -> torch.Tensor:
        """Its Hessian times a vector, shape (m,)."""
        total = torch.zeros_like(weights)
        for share, batch in self._batches():
            total = total + share * grad(partial(self._slope, vector, batch))(weights)
        return total

    def diagonal(self, weights: torch.Tensor) -> torch.Tensor:
        """The Hessian's diagonal, exactly, by m products; shape (m,)."""
        found = torch.empty_like(weights)
        for start in range(0, len(weights), _TOGETHER):
            chosen = torch.arange(start, min(start + _TOGETHER, len(weights)), device=weights.device)
            units = torch.zeros(len(chosen), len(weights), dtype=weights.dtype, device=weights.device)
            units[torch.arange(len(chosen)), chosen] = 1
            rows = vmap(lambda unit: self.product(weights, unit))(units)
            found[chosen] = rows[torch.arange(len(chosen)), chosen]
        return found

    def _slope(self, vector: torch.Tensor, batch: tuple[Any, torch.Tensor], weights: torch.Tensor) -> torch.Tensor:
        """The loss's derivative along a vector."""
        return grad(self._loss)(weights, *batch) @ vector

    def _loss(self, weights: torch.Tensor, inputs: Any, targets: torch.Tensor) -> torch.Tensor:
        return self._task.loss(outputs(self._task.model, inputs, self._named(weights)), targets).reshape(())

    def _named(self, weights: torch.Tensor) -> Mapping[str, torch.Tensor]:
        pieces = weights.split([each.numel() for each in self._parameters.values()])
        return {
            name: piece.view_as(self._parameters[name]) for name, piece in zip(self._parameters, pieces, strict=True)
        }

    def _batches(self) -> Iterator[tuple[float, tuple[Any, torch.Tensor]]]:
        """Each batch with its share of the examples."""
        for inputs, targets in self._task.batches:
            yield len(targets) / self._task.n, (inputs, targets)

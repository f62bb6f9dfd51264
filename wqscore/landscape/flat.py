"""A task's loss as a function of all trained parameters in one vector, with its derivatives.

Derivatives are autograd's, backwards twice: `torch.func` is wrong for layer norms (see `hessian`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch

from wqscore.cached_property import cached_property
from wqscore.landscape.memory import check_memory
from wqscore.landscape.second_derivatives import differentiable_twice
from wqscore.landscape.task import Task, outputs, trainable


class FlatLoss:
    """The mean loss over a task's batches at any weights; the model's own stay as they are.

    Args:
        task: in evaluation mode; the parameters that need a gradient are the vector's entries, in the model's order.

    Raises:
        LandscapeError: they are too many for the memory that is free.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self._parameters: dict[str, torch.Tensor] = trainable(task.model)
        sizes = [each.numel() for each in self._parameters.values()]
        check_memory(sum(sizes), next(iter(self._parameters.values())).element_size())

    @cached_property
    def weights(self) -> torch.Tensor:
        """The model's weights, shape (m,)."""
        return torch.cat([each.detach().flatten() for each in self._parameters.values()])

    def value(self, weights: torch.Tensor) -> torch.Tensor:
        """The mean loss at some weights; a scalar."""
        with torch.no_grad():
            return torch.stack([share * loss for share, loss in self._losses(weights)]).sum()

    def gradient(self, weights: torch.Tensor) -> torch.Tensor:
        """Its gradient, shape (m,)."""
        at = weights.detach().requires_grad_()
        return torch.stack([share * torch.autograd.grad(loss, at)[0] for share, loss in self._losses(at)]).sum(dim=0)

    def product(self, weights: torch.Tensor, vector: torch.Tensor) -> torch.Tensor:
        """Its Hessian times a vector, shape (m,)."""
        at = weights.detach().requires_grad_()
        return torch.stack([share * _derivative(slope @ vector, at) for share, slope in self._slopes(at)]).sum(dim=0)

    def diagonal(self, weights: torch.Tensor) -> torch.Tensor:
        """The Hessian's diagonal, exactly, by m backward passes; shape (m,)."""
        at = weights.detach().requires_grad_()
        found = torch.zeros_like(weights)
        for share, slope in self._slopes(at):
            found += share * torch.stack([_derivative(each, at)[place] for place, each in enumerate(slope)])
        return found

    def _slopes(self, weights: torch.Tensor) -> Iterator[tuple[float, torch.Tensor]]:
        """The gradient of each batch, which can be differentiated again, with its share of the examples."""
        for inputs, targets in self._task.batches:
            with differentiable_twice():
                loss = self._loss(weights, inputs, targets)
            yield len(targets) / self._task.n, torch.autograd.grad(loss, weights, create_graph=True)[0]

    def _losses(self, weights: torch.Tensor) -> Iterator[tuple[float, torch.Tensor]]:
        for inputs, targets in self._task.batches:
            yield len(targets) / self._task.n, self._loss(weights, inputs, targets)

    def _loss(self, weights: torch.Tensor, inputs: Any, targets: torch.Tensor) -> torch.Tensor:
        return self._task.loss(outputs(self._task.model, inputs, self._named(weights)), targets).reshape(())

    def _named(self, weights: torch.Tensor) -> Mapping[str, torch.Tensor]:
        pieces = weights.split([each.numel() for each in self._parameters.values()])
        return {
            name: piece.view_as(self._parameters[name]) for name, piece in zip(self._parameters, pieces, strict=True)
        }


def _derivative(number: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """The gradient of a number by the weights; 0 where it doesn't depend on them."""
    if not number.requires_grad:
        return torch.zeros_like(weights)
    found = torch.autograd.grad(number, weights, retain_graph=True, allow_unused=True)[0]
    return torch.zeros_like(weights) if found is None else found

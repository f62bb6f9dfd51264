"""An optimizer that takes its gradient at noisy weights, with as much noise as PACGen's bound allows each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from wqscore.landscape.noise_levels import noise_levels
from wqscore.landscape.second_derivatives import differentiable_twice

#: Of the running mean of the Hessian's diagonal.
_DECAY = 0.95


class PerturbedOptimizer:
    """Any torch optimizer, with `perturb` before the backward pass and `restore` before its step.

    Example:
        optimizer = PerturbedOptimizer(torch.optim.Adam(model.parameters()), eta=1e4)
        for inputs, targets in batches:
            optimizer.perturb(lambda: loss(model(inputs), targets))
            optimizer.zero_grad()
            loss(model(inputs), targets).backward()
            optimizer.restore()
            optimizer.step()

    The idea is Wang et al.'s, arXiv 1809.07402; their schedule of noise is not known, and ρ is taken as 0.

    Args:
        optimizer: takes the steps; all its parameters are perturbed.
        gamma: no weight moves further than γ|w| + ε.
        eps: see gamma.
        eta: how much curvature holds the noise down.
        every: the Hessian's diagonal is estimated once in so many calls of `perturb`.
        isotropic: noise of this half-width everywhere instead, for comparison.
        seed: decides the noise.

    Attributes:
        optimizer: the one that was given.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        gamma: float = 0.1,
        eps: float = 0.1,
        eta: float = 1000.0,
        every: int = 5,
        isotropic: float | None = None,
        seed: int = 0,
    ) -> None:
        if eps <= 0 or gamma < 0 or eta <= 0 or every < 1 or (isotropic is not None and isotropic < 0):
            raise ValueError("needs gamma and isotropic from 0, eps and eta above 0, and every from 1")
        self.optimizer = optimizer
        self._levels = (eta, gamma, eps)
        self._every, self._isotropic = every, isotropic
        self._generator = torch.Generator().manual_seed(seed)
        self._parameters: list[torch.Tensor] = [
            each for group in optimizer.param_groups for each in group["params"] if each.requires_grad
        ]
        self._mean = [torch.zeros_like(each) for each in self._parameters]
        self._calls, self._estimates = 0, 0
        self._kept: list[torch.Tensor] | None = None

    def perturb(self, closure: Callable[[], torch.Tensor]) -> None:
        """Add noise to every parameter.

        Args:
            closure: the loss at the weights as they are, from which the curvature is estimated.

        Raises:
            RuntimeError: the weights are perturbed already.
        """
        if self._kept is not None:
            raise RuntimeError("the weights are perturbed already: call restore first")
        if self._isotropic is None and self._calls % self._every == 0:
            self._estimate(closure)
        self._calls += 1
        self._kept = [each.detach().clone() for each in self._parameters]
        with torch.no_grad():
            for place, each in enumerate(self._parameters):
                noise = 2 * torch.rand(each.shape, generator=self._generator, dtype=torch.float64) - 1
                each.add_(noise.to(each) * self._half_width(place))

    def restore(self) -> None:
        """Put back the weights as they were before `perturb`, to the last bit; nothing if they are not moved."""
        if self._kept is not None:
            with torch.no_grad():
                for each, kept in zip(self._parameters, self._kept, strict=True):
                    each.copy_(kept)
            self._kept = None

    def step(self, closure: Callable[[], float] | None = None) -> Any:
        """The optimizer's step.

        Raises:
            RuntimeError: the weights are perturbed: the step would go from there.
        """
        if self._kept is not None:
            raise RuntimeError("the weights are perturbed: call restore before step")
        return self.optimizer.step(closure) if closure else self.optimizer.step()

    def zero_grad(self, set_to_none: bool = True) -> None:
        """The optimizer's zero_grad."""
        self.optimizer.zero_grad(set_to_none)

    def _half_width(self, place: int) -> torch.Tensor | float:
        if self._isotropic is not None:
            return self._isotropic
        eta, gamma, eps = self._levels
        diagonal = self._mean[place] / (1 - _DECAY**self._estimates)
        return noise_levels(self._parameters[place].detach(), diagonal, 0.0, eta, gamma, eps)

    def _estimate(self, closure: Callable[[], torch.Tensor]) -> None:
        """Take z⊙Hz of random signs z into the running mean of the Hessian's diagonal."""
        with differentiable_twice():
            loss = closure()
        gradients = torch.autograd.grad(loss, self._parameters, create_graph=True, allow_unused=True)
        signs = [
            torch.randint(0, 2, each.shape, generator=self._generator).to(each) * 2 - 1 for each in self._parameters
        ]
        curved = [
            (slope * sign).sum()
            for slope, sign in zip(gradients, signs, strict=True)
            if slope is not None and slope.requires_grad
        ]
        products = torch.autograd.grad(curved, self._parameters, allow_unused=True) if curved else [None] * len(signs)
        self._estimates += 1
        for mean, sign, product in zip(self._mean, signs, products, strict=True):
            found = torch.zeros_like(mean) if product is None else sign * product.detach()
            mean.mul_(_DECAY).add_(found, alpha=1 - _DECAY)

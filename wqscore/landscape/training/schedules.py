"""Learning rates and weight decays by layer, from the exponents of a live model's matrices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import numpy as np

from wqscore.errors import UsageError
from wqscore.landscape.training.matrices import exponent, weight_matrices
from wqscore.studies.allocate.formulas import Form, learning_rates, weight_decays

#: Fewer eigenvalues say too little, as in the published code.
LEAST = 50


def parameter_groups(model: Any) -> list[dict[str, Any]]:
    """A group of parameters for each weight matrix, with its `name`, and one for all others, `name` being empty.

    Example:
        `torch.optim.SGD(parameter_groups(model), lr=0.1)`
    """
    matrices = weight_matrices(model)
    own = {id(each) for each in matrices.values()}
    groups: list[dict[str, Any]] = [{"params": [each], "name": name} for name, each in matrices.items()]
    others = [each for each in model.parameters() if each.requires_grad and id(each) not in own]
    return [*groups, {"params": others, "name": ""}] if others else groups


@dataclass
class _ByLayer:
    """What the two schedules share.

    Attributes:
        optimizer: made of `parameter_groups`.
        every: steps after which the exponents are computed anew, on the calling thread; from 1.
        epsilon: half the range of the factors, below 1.
        least: matrices with fewer eigenvalues keep the factor 1, and so do the first and the last one.
        factors: by name, what the base value is multiplied by.
        alphas: by name, the exponents that the factors come from.
    """

    optimizer: Any
    every: int = 100
    epsilon: float = 0.5
    least: int = LEAST
    factors: dict[str, float] = field(default_factory=dict)
    alphas: dict[str, float] = field(default_factory=dict)
    _count: int = 0

    def __post_init__(self) -> None:
        """Refuse an optimiser whose groups are no matrices, and numbers out of range."""
        if not any(group.get("name") for group in self.optimizer.param_groups):
            raise UsageError("the optimiser has no group for each matrix: make it of parameter_groups(model)")
        if self.every < 1 or not 0 <= self.epsilon < 1:
            raise UsageError(
                f"every is {self.every} and epsilon {self.epsilon:g}: give steps from 1, and 0 to below 1"
            )

    def _update(self, key: str, base: float, plan: Callable[[np.ndarray], np.ndarray]) -> None:
        if self._count % self.every == 0:
            self._measure(plan)
        self._count += 1
        for group in self.optimizer.param_groups:
            group[key] = base * self.factors.get(group.get("name", ""), 1.0)

    def _measure(self, plan: Callable[[np.ndarray], np.ndarray]) -> None:
        named = [group for group in self.optimizer.param_groups if group.get("name")][1:-1]
        found = {group["name"]: exponent(group["params"][0], self.least) for group in named}
        self.alphas = {name: alpha for name, alpha in found.items() if isfinite(alpha)}
        if not self.alphas:
            return
        factors = plan(np.array([*self.alphas.values()]))
        self.factors = dict(zip(self.alphas, factors.tolist(), strict=True))


@dataclass
class TempBalance(_ByLayer):
    """A learning rate for each matrix: less for one with heavier tails than the others, more for one with lighter.

    `linear` maps the smallest alpha_hill to (1 − ε) times the base rate and the largest to (1 + ε); `sqrt` and `log2`
    keep the mean. Zhou et al., "Temperature balancing, layer-wise weight analysis, and neural network training",
    NeurIPS 2023, equation 2 and `tempbalance.py`.

    Attributes:
        form: the map.

    Example:
        `balance.step(lr)` in each step, before `optimizer.step()`, with the rate that a plain schedule would have.
    """

    form: Form = "linear"

    def step(self, lr: float) -> None:
        """Set the rate of each group for one step.

        Args:
            lr: the base rate of this step.
        """
        self._update("lr", lr, lambda alphas: learning_rates(alphas, 1.0, self.epsilon, self.form))


@dataclass
class AlphaDecay(_ByLayer):
    """A weight decay for each matrix, linear in its alpha_hill: less for heavier tails.

    He et al., "AlphaDecay: module-wise weight decay for heavy-tailed balancing in LLMs", arXiv 2506.14562; the range
    is wqscore's. The group of what is no matrix keeps no decay.
    """

    def step(self, weight_decay: float) -> None:
        """Set the decay of each group for one step.

        Args:
            weight_decay: the base decay of this step.
        """
        self._update("weight_decay", weight_decay, lambda alphas: weight_decays(alphas, 1.0, self.epsilon))
        for group in self.optimizer.param_groups:
            if not group.get("name"):
                group["weight_decay"] = 0.0

"""All-layer margins: how far all layers of a network must move together until an example's class changes.

Wei & Ma, "Improved Sample Complexities for Deep Networks and Robust Classification via an All-Layer Margin",
arXiv 1910.04284.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite, nan

import torch
from torch import nn

from wqscore.landscape.measure import Choices, Estimate, ModelMeasure
from wqscore.landscape.sequential import layers_of
from wqscore.landscape.task import Task, prepared
from wqscore.landscape.training.jacobian import margins

#: A step's end may lie a little before the boundary, or far: so much longer moves are tried too.
_STRETCHES = (1.0, 1.001, 1.03, 1.3)
#: Halvings of the interval in which the boundary lies.
_HALVINGS = 30


@dataclass(frozen=True)
class Margins:
    """The all-layer margins of a task's examples.

    Attributes:
        margins: shape (examples,), from above: a shorter move may exist; 0 for an example of the wrong class,
            infinite where no move was found.
        n_wrong: how many examples are of the wrong class.
    """

    margins: torch.Tensor
    n_wrong: int

    @property
    def median(self) -> float:
        """The middle value; NaN where no move was found for half of the examples."""
        middle = float(self.margins.median())
        return middle if isfinite(middle) else nan

    @property
    def mean_inverse_square(self) -> float | None:
        """The mean of 1/m² over the examples of the right class, which the smallest margin rules; `None` for none."""
        right = self.margins[self.margins > 0]
        return float(right.pow(-2).mean()) if len(right) else None


def all_layer_margin(task: Task, steps: int = 60) -> Margins:
    """Find each example's shortest move of all layers that changes its class: h_i = f_i(h_(i-1)) + δ_i·‖h_(i-1)‖.

    The margin is √Σ‖δ_i‖² (1910.04284, eq. 3.1). Each step goes to the nearest point of the linearised boundary, and
    the shortest move that changes the class is shrunk to the boundary.

    Args:
        task: its model is an `nn.Sequential`; a layer is an affine map with the activation after it.
        steps: how many steps each batch gets.

    Raises:
        UsageError: the model is no `nn.Sequential`.
    """
    layers = layers_of(task.model)
    with prepared(task):
        found = torch.cat([_margins(layers, inputs, targets, steps) for inputs, targets in task.batches])
    return Margins(found, int((found == 0).sum()))


def amo_step(
    model: nn.Module,
    inputs: torch.Tensor,
    targets: torch.Tensor,
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    strength: float = 0.01,
    repo: bool = False,
) -> torch.Tensor:
    """The loss with all layers moved one step against their example, to call `backward` on in place of the loss.

    All-layer margin optimisation (1910.04284, Algorithm 1) with one step from δ = 0: δ_i = strength·∂ℓ/∂δ_i.

    Args:
        model: an `nn.Sequential`.
        inputs: shape (examples, …).
        targets: what the loss takes, shape (examples, …).
        loss: the mean loss of a batch.
        strength: the length of the step.
        repo: as the authors' code has it: a layer is scaled by its own output, and the step is along the gradient of
            the mean loss, so that it shrinks with the batch.

    Raises:
        UsageError: the model is no `nn.Sequential`.
    """
    layers = layers_of(model)
    still = [torch.zeros_like(each, requires_grad=True) for each in _unmoved(layers, inputs)]
    mean = loss(_moved(layers, inputs, still, repo), targets)
    gradients = torch.autograd.grad(mean, still)
    step = strength if repo else strength * len(inputs)
    return loss(_moved(layers, inputs, [step * each for each in gradients], repo), targets)


def _margins(layers: Sequence[nn.Module], inputs: torch.Tensor, targets: torch.Tensor, steps: int) -> torch.Tensor:
    def margin(moves: Sequence[torch.Tensor]) -> torch.Tensor:
        return margins(_moved(layers, inputs, moves), targets)

    still = [torch.zeros_like(each) for each in _unmoved(layers, inputs)]
    with torch.no_grad():
        wrong = margin(still) <= 0
    best = torch.full(wrong.shape, torch.inf, dtype=still[0].dtype, device=wrong.device)
    shortest = still
    moves = still
    for _ in range(steps):
        moves = [each.detach().requires_grad_() for each in moves]
        value = margin(moves)
        gradients = torch.autograd.grad(value.sum(), moves)
        with torch.no_grad():
            along = _dot(gradients, moves) - value
            scale = along / _dot(gradients, gradients).clamp_min(torch.finfo(value.dtype).tiny)
            moves = [_times(scale, each) for each in gradients]
            for stretch in _STRETCHES:
                tried = [stretch * each for each in moves]
                length = _dot(tried, tried).sqrt()
                shorter = (margin(tried) <= 0) & (length < best)
                best = torch.where(shorter, length, best)
                shortest = [
                    torch.where(_times(shorter, torch.ones_like(a)).bool(), a, b)
                    for a, b in zip(tried, shortest, strict=True)
                ]
    with torch.no_grad():
        return torch.where(wrong, 0.0, best * _share_to_boundary(margin, shortest))


def _share_to_boundary(
    margin: Callable[[Sequence[torch.Tensor]], torch.Tensor], moves: Sequence[torch.Tensor]
) -> torch.Tensor:
    """How much of each example's move, which changes its class, is needed for that."""
    high = torch.ones_like(_dot(moves, moves))
    low = torch.zeros_like(high)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        beyond = margin([_times(middle, each) for each in moves]) <= 0
        low, high = torch.where(beyond, low, middle), torch.where(beyond, middle, high)
    return high


def _moved(
    layers: Sequence[nn.Module], inputs: torch.Tensor, moves: Sequence[torch.Tensor], own: bool = False
) -> torch.Tensor:
    """The network's output where each layer's is moved, by a multiple of its input's norm or of its own."""
    given = inputs
    for layer, move in zip(layers, moves, strict=True):
        output = layer(given)
        given = output + _times((output if own else given).flatten(1).norm(dim=1), move)
    return given


def _unmoved(layers: Sequence[nn.Module], inputs: torch.Tensor) -> list[torch.Tensor]:
    found = []
    with torch.no_grad():
        for layer in layers:
            inputs = layer(inputs)
            found.append(inputs)
    return found


def _dot(a: Sequence[torch.Tensor], b: Sequence[torch.Tensor]) -> torch.Tensor:
    """The product of each example's moves, shape (examples,)."""
    return torch.stack([(x * y).flatten(1).sum(dim=1) for x, y in zip(a, b, strict=True)]).sum(dim=0)


def _times(factors: torch.Tensor, moves: torch.Tensor) -> torch.Tensor:
    """Each example's moves times its factor."""
    return factors.reshape(-1, *(1,) * (moves.dim() - 1)) * moves


def _estimates(task: Task, choices: Choices) -> list[Estimate]:
    found = all_layer_margin(task)
    return [Estimate("margin_median", found.median, f"from above, {found.n_wrong} of {task.n} of the wrong class")]


MEASURE = ModelMeasure("margin", ("margin_median",), _estimates)

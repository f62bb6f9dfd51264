"""Teleportation: move a network within the set of weights that compute the same, to where the gradient is larger."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import get_args

import torch
from torch import nn
from torch.func import grad

from wqscore.landscape.equivalent.group_action import Action, Affine, acted, check_action
from wqscore.landscape.equivalent.moved import Moved, State, largest_changes
from wqscore.landscape.sequential import linear_layers


class Teleport:
    """Teleports of one network, in place: its parameters stay the same objects.

    Transformers have `TransformerTeleport`.

    Source: Zhao et al., ICLR 2024, Algorithm 1. That a larger gradient trains faster holds at a small learning rate;
    at a tuned one plain gradient descent was as fast (docs/landscape.md).

    Args:
        model: an `nn.Sequential` of `nn.Linear` and elementwise activations.
        action: of which group; `group_action.acted` says for which inputs each is exact.
        bound: how far `ascend` and `randomise` go: |c| of each unit (`scale`), or ‖T‖ of each layer, over all calls.
            Scaling has no largest gradient, so the bound is part of what is found.
        optimizer: whose state is dropped.
        state: `keep` leaves the optimizer's state as it was, which is wrong by the group element; `drop` clears it,
            as the published code does.

    Raises:
        UsageError: the model has other layers.
        ValueError: the group doesn't act on this network.
    """

    def __init__(
        self,
        model: nn.Module,
        action: Action = "scale",
        bound: float = 1.0,
        optimizer: torch.optim.Optimizer | None = None,
        state: State = "keep",
    ) -> None:
        if action not in get_args(Action) or state not in get_args(State):
            raise ValueError(f"action {action!r}, state {state!r}: needs scale, pinv or inverse, and keep or drop")
        if bound <= 0:
            raise ValueError(f"bound is {bound}: needs a number above 0")
        self._model, self._action, self._bound = model, action, bound
        self._optimizer = optimizer if state == "drop" else None
        check_action(action, self._layers())
        self._total = self._still()

    def apply(
        self,
        generators: Sequence[torch.Tensor],
        inputs: torch.Tensor | None = None,
        held_out: torch.Tensor | None = None,
    ) -> Moved:
        """Move by a group element.

        Args:
            generators: for each hidden layer c, shape (width,), or T, shape (width, width); not held to the bound.
            inputs: the batch that stays, shape (examples, in); `pinv` and `inverse` need it.
            held_out: other rows.

        Raises:
            ValueError: the generators or inputs don't fit.
        """
        return self._measured(lambda: self._move(generators, inputs), inputs, held_out)

    def ascend(
        self,
        inputs: torch.Tensor,
        targets: torch.Tensor,
        loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
        steps: int = 10,
        lr: float | None = None,
        held_out: torch.Tensor | None = None,
    ) -> Moved:
        """Climb ‖∇L(g·W)‖² over the group.

        Args:
            inputs: a batch, shape (examples, in).
            targets: what the loss takes.
            loss: the mean loss of a batch.
            steps: how many; each starts from T = 0 and its element is applied.
            lr: the step along the gradient; by default, for `scale` alone, the largest entry moves by bound/steps.
            held_out: other rows.

        Raises:
            ValueError: `pinv` or `inverse` without lr.
        """
        if lr is None and self._action != "scale":
            raise ValueError(f"{self._action} needs lr")

        def climb() -> None:
            for _ in range(steps):
                still = [each.requires_grad_() for each in self._still()]
                slopes = torch.autograd.grad(self._steepness(still, inputs, targets, loss), still)
                steepest = max(float(each.abs().max()) for each in slopes)
                if not steepest:
                    break
                rate = lr if lr is not None else self._bound / steps / steepest
                self._move_within([rate * each for each in slopes], inputs)

        before = self._gradient_norm(inputs, targets, loss)
        moved = self._measured(climb, inputs, held_out)
        after = self._gradient_norm(inputs, targets, loss)
        return Moved(before, after, moved.batch_change, moved.held_out_change)

    def randomise(self, seed: int, inputs: torch.Tensor | None = None, held_out: torch.Tensor | None = None) -> Moved:
        """Move by a random element at the bound, to compare `ascend` with: random signs, whatever the loss.

        Args:
            seed: decides the signs.
            inputs: the batch that stays; `pinv` and `inverse` need it.
            held_out: other rows.
        """
        generator = torch.Generator().manual_seed(seed)
        signs = [torch.randint(0, 2, each.shape, generator=generator).to(each) * 2 - 1 for each in self._total]
        drawn = [self._bound * (each if self._action == "scale" else each / each.norm()) for each in signs]
        return self._measured(lambda: self._move_within(drawn, inputs), inputs, held_out)

    def _layers(self) -> list[Affine]:
        return [Affine(linear.weight, linear.bias, after) for linear, after in linear_layers(self._model)]

    def _still(self) -> list[torch.Tensor]:
        weights = [layer.weight for layer in self._layers()[:-1]]
        square = self._action != "scale"
        return [weight.new_zeros((len(weight), len(weight)) if square else len(weight)) for weight in weights]

    def _move_within(self, generators: Sequence[torch.Tensor], inputs: torch.Tensor | None) -> None:
        """Move as far as the bound on the sum of all moves allows."""
        goals = [self._held(total + each.detach()) for total, each in zip(self._total, generators, strict=True)]
        self._move([goal - total for goal, total in zip(goals, self._total, strict=True)], inputs)
        self._total = goals

    def _held(self, total: torch.Tensor) -> torch.Tensor:
        if self._action == "scale":
            return total.clamp(-self._bound, self._bound)
        return total * min(1.0, self._bound / max(float(total.norm()), self._bound))

    def _move(self, generators: Sequence[torch.Tensor], inputs: torch.Tensor | None) -> None:
        layers = self._layers()
        with torch.no_grad():
            for layer, new in zip(layers, acted(self._action, layers, generators, inputs), strict=True):
                layer.weight.copy_(new.weight)
                if layer.bias is not None:
                    layer.bias.copy_(new.bias)
        if self._optimizer is not None:
            self._optimizer.state.clear()

    def _steepness(
        self,
        generators: Sequence[torch.Tensor],
        inputs: torch.Tensor,
        targets: torch.Tensor,
        loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    ) -> torch.Tensor:
        """‖∇L‖² at the moved weights, differentiable by the generators."""
        layers = acted(self._action, self._layers(), generators, inputs)
        activations = [layer.activation for layer in layers]

        def at(weights: Sequence[Sequence[torch.Tensor]]) -> torch.Tensor:
            output = inputs
            for parts, activation in zip(weights, activations, strict=True):
                output = activation(nn.functional.linear(output, *parts))
            return loss(output, targets)

        # Of the moved weights as independent of each other, though one is made from another.
        weights = [[layer.weight] if layer.bias is None else [layer.weight, layer.bias] for layer in layers]
        return torch.stack([each.square().sum() for parts in grad(at)(weights) for each in parts]).sum()

    def _gradient_norm(
        self,
        inputs: torch.Tensor,
        targets: torch.Tensor,
        loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    ) -> float:
        gradients = torch.autograd.grad(loss(self._model(inputs), targets), list(self._model.parameters()))
        return float(torch.cat([each.flatten() for each in gradients]).norm())

    def _measured(
        self, move: Callable[[], None], inputs: torch.Tensor | None, held_out: torch.Tensor | None
    ) -> Moved:
        changes = largest_changes(move, self._model, (inputs, held_out))
        return Moved(None, None, changes[0], changes[1])

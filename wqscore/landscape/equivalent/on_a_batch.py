"""What is measured of a model on a batch: its outputs, and the squared norm of its loss's gradient."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from wqscore.landscape.second_derivatives import differentiable_twice

#: From what the model returns and the targets to the mean loss of a batch.
Loss = Callable[[Any, Any], torch.Tensor]


def called(model: nn.Module, inputs: Any) -> Any:
    """What a model returns of inputs: a tensor, or a mapping that is passed as keywords."""
    return model(**inputs) if isinstance(inputs, Mapping) else model(inputs)


def flat_outputs(model: nn.Module, inputs: Any) -> torch.Tensor:
    """All that a model returns in tensors, flat; without caches and hidden states, which come in tuples.

    Raises:
        ValueError: it returns no tensor.
    """
    found = called(model, inputs)
    parts = found.values() if isinstance(found, Mapping) else found if isinstance(found, tuple) else (found,)
    flat = [each.flatten() for each in parts if isinstance(each, torch.Tensor)]
    if not flat:
        raise ValueError(f"the model returns a {type(found).__name__} without a tensor, which can't be compared")
    return torch.cat(flat)


def check_outputs(model: nn.Module, inputs: Any) -> None:
    """Refuse to measure a model whose outputs are not finite, or partly chance.

    Raises:
        ValueError: they are; by chance if two calls on the same inputs differ in training mode.
    """
    with torch.no_grad():
        found = flat_outputs(model, inputs)
        if not bool(found.isfinite().all()):
            raise ValueError("the model's outputs are not finite on the given rows")
        if any(each.training for each in model.modules()) and not torch.equal(found, flat_outputs(model, inputs)):
            raise ValueError("the model's outputs differ from call to call, by dropout: measure after model.eval()")


def squared_gradient(
    model: nn.Module, inputs: Any, targets: Any, loss: Loss, weights: Sequence[torch.Tensor] = ()
) -> tuple[float, list[torch.Tensor]]:
    """‖∇L‖², ∇ by all parameters that need a gradient, and its derivative by some of them, backwards twice.

    Args:
        model: the model, whose `grad` stay as they are.
        inputs: the batch.
        targets: what the loss takes.
        loss: the mean loss.
        weights: what to differentiate by.
    """
    parameters = [each for each in model.parameters() if each.requires_grad]
    with torch.enable_grad(), differentiable_twice():
        value = loss(called(model, inputs), targets).reshape(())
        slopes = torch.autograd.grad(value, parameters, create_graph=bool(weights), allow_unused=True)
        square = torch.stack([each.double().square().sum() for each in slopes if each is not None]).sum()
        if not square.requires_grad:
            return float(square), [torch.zeros_like(each) for each in weights]
        found = torch.autograd.grad(square, weights, allow_unused=True, materialize_grads=True)
    return float(square.detach()), list(found)

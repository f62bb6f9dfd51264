"""The weights of two models of one shape, for what is measured between them."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from wqscore.errors import UsageError

#: A module, or its state dict.
Weights = Any


def ends(model: Any, a: Weights, b: Weights) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The parameters of two models by name, detached, as `model` has them.

    Args:
        model: the architecture.
        a: one model, or its state dict.
        b: the other.

    Raises:
        UsageError: names or shapes differ; the buffers of the two differ; or the model has batch normalisation, whose
            statistics hold at no other point.
    """
    if any(isinstance(each, nn.modules.batchnorm._BatchNorm) for each in model.modules()):
        raise UsageError(
            "the model has batch normalisation, whose statistics don't hold between two models: fold it into the "
            "layers before it, or measure models without"
        )
    states = [_state(each) for each in (a, b)]
    found = [_parameters(model, state) for state in states]
    for name, buffer in model.named_buffers():
        one, other = (state.get(name, buffer) for state in states)
        if one.shape != other.shape or not torch.equal(one, other):
            raise UsageError(f"{name}: the two models differ in it, and it is no parameter that can be moved")
    return found[0], found[1]


def distance(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> float:
    """‖a − b‖₂ over all parameters, in float64."""
    return sqrt(sum(float((a[name].double() - b[name].double()).square().sum()) for name in a))


def between(a: Mapping[str, Tensor], b: Mapping[str, Tensor], t: float) -> dict[str, Tensor]:
    """(1 − t)·a + t·b."""
    return {name: torch.lerp(a[name], b[name], t) for name in a}


def float64_array(tensor: Tensor) -> np.ndarray:
    """A tensor's values for NumPy, in float64."""
    found: np.ndarray = tensor.detach().double().cpu().numpy()
    return found


def _state(given: Weights) -> dict[str, Tensor]:
    state = given.state_dict() if hasattr(given, "state_dict") else given
    if not isinstance(state, Mapping):
        raise UsageError(f"{type(given).__name__} is no model: give a torch.nn.Module or its state dict")
    return dict(state)


def _parameters(model: Any, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    found = {}
    for name, parameter in model.named_parameters():
        if name not in state:
            raise UsageError(f"the two models don't match: one has no {name}")
        if state[name].shape != parameter.shape:
            shapes = " and ".join(str(tuple(each.shape)) for each in (parameter, state[name]))
            raise UsageError(f"the two models don't match: {name} has the shapes {shapes}")
        found[name] = state[name].detach().to(parameter)
    unknown = sorted(state.keys() - model.state_dict().keys())
    if unknown:
        raise UsageError(f"the two models don't match: one has {unknown[0]} and the other hasn't")
    return found

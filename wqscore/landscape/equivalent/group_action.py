"""How a group acts on the weights of a network so that its outputs stay: on all inputs, or on one batch.

Zhao, Gower, Walters & Yu, "Improving Convergence and Generalization Using Parameter Symmetries", ICLR 2024, §3; the
differences to its code, and where its actions are not exact, are said at each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import torch
from torch import nn

Action = Literal["scale", "pinv", "inverse"]


@dataclass(frozen=True)
class Affine:
    """A layer's weights, and the activation after it.

    Attributes:
        weight: shape (out, in).
        bias: shape (out,); `None` without.
        activation: elementwise.
    """

    weight: torch.Tensor
    bias: torch.Tensor | None
    activation: nn.Module


def _inverse_leaky(activation: nn.Module, value: torch.Tensor) -> torch.Tensor:
    return torch.where(value >= 0, value, value / activation.negative_slope)


#: σ⁻¹ by the activation; NaN outside its range.
_INVERSES: Mapping[type[nn.Module], Callable[[nn.Module, torch.Tensor], torch.Tensor]] = MappingProxyType(
    {
        nn.Identity: lambda _, value: value,
        nn.LeakyReLU: _inverse_leaky,
        nn.Tanh: lambda _, value: value.atanh(),
        nn.Sigmoid: lambda _, value: value.logit(),
    }
)
_HOMOGENEOUS = (nn.ReLU, nn.LeakyReLU, nn.Identity)


def check_action(action: Action, layers: Sequence[Affine]) -> None:
    """Refuse a network on which the group doesn't act.

    Raises:
        ValueError: an activation that is not homogeneous (`scale`) or not invertible (`inverse`), or a bias (`pinv`,
            `inverse`).
    """
    if len(layers) < 2:
        raise ValueError("the network has no hidden layer")
    for layer in layers[:-1]:
        name = type(layer.activation).__name__
        if action == "scale" and not isinstance(layer.activation, _HOMOGENEOUS):
            raise ValueError(f"scale needs ReLU, LeakyReLU or no activation, not {name}")
        if action == "inverse" and type(layer.activation) not in _INVERSES:
            raise ValueError(f"inverse needs an activation that can be inverted, not {name}")
    if action != "scale" and any(layer.bias is not None for layer in layers):
        raise ValueError(f"{action} needs layers without biases")


def acted(
    action: Action, layers: Sequence[Affine], generators: Sequence[torch.Tensor], inputs: torch.Tensor | None
) -> list[Affine]:
    """A network after a group element; differentiable by the generators.

    | action | transformation | exact for |
    |---|---|---|
    | `scale` | rows of W_i and b_i times e^c, columns of W_(i+1) over e^c | every input |
    | `pinv` | V → gV, U → U + U(σ(Vh) − σ(gVh))·σ(gVh)⁺ | the batch, of at most as many examples as the layer units |
    | `inverse` | V → V + (σ⁻¹(gσ(Vh)) − Vh)·h⁺, U → U·g⁻¹ | the batch, if h has full column rank |

    g is the matrix exponential of T; the published code takes I + T. It also takes U·σ(Vh)·σ(gVh)⁺ and
    σ⁻¹(gσ(Vh))·h⁺: the same of many examples, but of few they move the weights where g is the identity.

    Args:
        action: which.
        layers: from the first to the last.
        generators: for each hidden layer c, shape (width,), or T, shape (width, width).
        inputs: the batch, shape (examples, in), that `pinv` and `inverse` keep.

    Raises:
        ValueError: the generators don't fit the layers, there are no inputs, or gσ(Vh) leaves the activation's range.
    """
    _check_generators(action, layers, generators)
    if action != "scale" and inputs is None:
        raise ValueError(f"{action} needs inputs")
    found = list(layers)
    given = None if inputs is None else inputs.T
    for place, generator in enumerate(generators):
        here, after = found[place], found[place + 1]
        if action == "scale":
            found[place], found[place + 1] = _scaled(here, after, generator)
            continue
        assert given is not None
        act = _pinv if action == "pinv" else _inverse
        found[place], found[place + 1] = act(here, after, torch.matrix_exp(generator), given)
        given = here.activation(found[place].weight @ given)
    return found


def _scaled(here: Affine, after: Affine, generator: torch.Tensor) -> tuple[Affine, Affine]:
    factors = generator.exp()
    bias = None if here.bias is None else factors * here.bias
    return (
        Affine(factors[:, None] * here.weight, bias, here.activation),
        Affine(after.weight / factors, after.bias, after.activation),
    )


def _pinv(here: Affine, after: Affine, element: torch.Tensor, given: torch.Tensor) -> tuple[Affine, Affine]:
    moved = element @ here.weight
    before, behind = (here.activation(weight @ given) for weight in (here.weight, moved))
    following = after.weight + after.weight @ (before - behind) @ torch.linalg.pinv(behind)
    return Affine(moved, None, here.activation), Affine(following, None, after.activation)


def _inverse(here: Affine, after: Affine, element: torch.Tensor, given: torch.Tensor) -> tuple[Affine, Affine]:
    wanted = element @ here.activation(here.weight @ given)
    before = _INVERSES[type(here.activation)](here.activation, wanted)
    if not bool(before.isfinite().all()):
        raise ValueError(f"gσ(Vh) leaves the range of {type(here.activation).__name__}: take a smaller generator")
    following = torch.linalg.solve(element, after.weight, left=False)
    moved = here.weight + (before - here.weight @ given) @ torch.linalg.pinv(given)
    return Affine(moved, None, here.activation), Affine(following, None, after.activation)


def _check_generators(action: Action, layers: Sequence[Affine], generators: Sequence[torch.Tensor]) -> None:
    widths = [len(layer.weight) for layer in layers[:-1]]
    needed = [(width,) if action == "scale" else (width, width) for width in widths]
    shapes = [tuple(each.shape) for each in generators]
    if shapes != needed:
        raise ValueError(f"generators have shapes {shapes}: {action} needs {needed}")

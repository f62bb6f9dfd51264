"""A network of layers one after another: an `nn.Sequential` of affine maps, each with what follows it.

Penalties, margins, alignment and teleportation need to know what a layer is. In an `nn.Sequential` it is plain; of
other models it is not, and they are refused.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from wqscore.errors import UsageError

AFFINE = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


def layers_of(model: nn.Module) -> list[nn.Sequential]:
    """Split a network into layers: an affine map, what goes before the first one, and what follows each.

    Args:
        model: an `nn.Sequential`, which may hold others.

    Raises:
        UsageError: it is another model, or has no affine map.
    """
    if not isinstance(model, nn.Sequential):
        raise UsageError(f"{type(model).__name__} is no nn.Sequential: what its layers are is not known")
    layers: list[list[nn.Module]] = [[]]
    for module in _flat(model):
        if isinstance(module, AFFINE) and any(isinstance(each, AFFINE) for each in layers[-1]):
            layers.append([])
        layers[-1].append(module)
    if not any(isinstance(each, AFFINE) for each in layers[-1]):
        raise UsageError("the nn.Sequential has no nn.Linear and no convolution")
    return [nn.Sequential(*layer) for layer in layers]


def linear_layers(model: nn.Module) -> list[tuple[nn.Linear, nn.Module]]:
    """The layers of a network of nn.Linear alone, each with its activation; `nn.Identity` where it has none.

    Raises:
        UsageError: a layer holds anything else.
    """
    found: list[tuple[nn.Linear, nn.Module]] = []
    for number, layer in enumerate(layers_of(model)):
        affine, *rest = layer
        if not isinstance(affine, nn.Linear) or len(rest) > 1 or any(_has_parameters(each) for each in rest):
            kinds = ", ".join(type(each).__name__ for each in layer)
            raise UsageError(f"layer {number} is {kinds}: needs nn.Linear and at most one elementwise activation")
        found.append((affine, rest[0] if rest else nn.Identity()))
    return found


def hidden_and_logits(model: nn.Module, inputs: torch.Tensor) -> tuple[list[torch.Tensor], torch.Tensor]:
    """The hidden outputs, after their activations, and the network's output; one can differentiate by each.

    Raises:
        UsageError: the model is no `nn.Sequential`.
    """
    *before, last = layers_of(model)
    hidden: list[torch.Tensor] = []
    for layer in before:
        inputs = _in_graph(layer(inputs))
        hidden.append(inputs)
    return hidden, last(inputs)


def _flat(model: nn.Sequential) -> Iterator[nn.Module]:
    for module in model:
        yield from _flat(module) if isinstance(module, nn.Sequential) else (module,)


def _in_graph(output: torch.Tensor) -> torch.Tensor:
    """A hidden output that no trained parameter comes before is no part of a graph yet."""
    return output if output.requires_grad else output.requires_grad_()


def _has_parameters(module: nn.Module) -> bool:
    return next(module.parameters(), None) is not None

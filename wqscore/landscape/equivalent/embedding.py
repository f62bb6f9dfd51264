"""Wider networks that compute the same as a narrow one, and keep its critical points.

Zhang, Zhang, Luo & Xu, "Embedding Principle of Loss Landscape of Deep Neural Networks", NeurIPS 2021, 2105.14573.
"""

from __future__ import annotations

import copy

import torch
from torch import nn

from wqscore.landscape.sequential import linear_layers

#: σ(−x) = −σ(x).
_ODD = (nn.Tanh, nn.Identity, nn.Softsign, nn.Hardtanh)


def embed(
    model: nn.Sequential, layer: int, copies: int, delta: torch.Tensor, signs: torch.Tensor | None = None
) -> nn.Sequential:
    """Split each neuron of a hidden layer into copies that share its outgoing weights (2105.14573, Definition 2).

    At every point, critical or not, the gradient by a copy's incoming weights and bias is δ times the neuron's, and
    by its outgoing weights the neuron's: a critical point stays one, in a set of m(k − 1) dimensions.

    Args:
        model: an `nn.Sequential` of `nn.Linear` and elementwise activations.
        layer: the hidden layer, from 0.
        copies: k, how many neurons each becomes.
        delta: the share of each copy, shape (m, copies); rows sum to 1, of any sign.
        signs: 1 or −1 for each copy, shape (m, copies): −1 flips incoming and outgoing weights; for odd activations.

    Returns:
        A new network; rows c·m to c·m + m − 1 of the layer are copy c of its m neurons.

    Raises:
        UsageError: the model has other layers.
        ValueError: there is no such hidden layer, or delta or signs don't fit.
    """
    wide, here, after, activation = opened(model, layer)
    width = len(here.weight)
    shares = torch.as_tensor(delta, dtype=here.weight.dtype)
    if shares.shape != (width, copies):
        raise ValueError(f"delta has shape {tuple(shares.shape)}: needs {(width, copies)}")
    off = float((shares.sum(dim=1) - 1).abs().max())
    if off > 1e3 * torch.finfo(shares.dtype).eps * max(1.0, float(shares.abs().max())):
        raise ValueError(f"rows of delta sum to 1 ± {off:.3g}: they must sum to 1")
    flips = torch.ones_like(shares) if signs is None else torch.as_tensor(signs, dtype=shares.dtype)
    if flips.shape != shares.shape or not bool((flips.abs() == 1).all()):
        raise ValueError(f"signs must be 1 or -1, of shape {(width, copies)}")
    if bool((flips < 0).any()) and not isinstance(activation, _ODD):
        raise ValueError(f"signs need an odd activation, not {type(activation).__name__}")
    outgoing = after.weight.detach()
    with_weights(
        here,
        torch.cat([flips[:, each, None] * here.weight.detach() for each in range(copies)]),
        None if here.bias is None else torch.cat([flips[:, each] * here.bias.detach() for each in range(copies)]),
    )
    with_weights(
        after, torch.cat([outgoing * (flips * shares)[:, each] for each in range(copies)], dim=1), after.bias
    )
    return wide


def null_embed(model: nn.Sequential, layer: int, count: int, incoming: torch.Tensor | None = None) -> nn.Sequential:
    """Add neurons without outgoing weights to a hidden layer (2105.14573, §4: null embedding).

    Args:
        model: an `nn.Sequential` of `nn.Linear` and elementwise activations.
        layer: the hidden layer, from 0.
        count: how many.
        incoming: their incoming weights, shape (count, in). With them the function stays and the gradient does not:
            that by the outgoing weights is free. By default 0, which keeps critical points where σ(0) = 0.

    Returns:
        A new network; the added neurons are the last rows of the layer, with bias 0.

    Raises:
        UsageError: the model has other layers.
        ValueError: there is no such hidden layer, incoming doesn't fit, or σ(0) is not 0 without incoming weights.
    """
    wide, here, after, activation = opened(model, layer)
    if count < 0:
        raise ValueError(f"count is {count}: needs a number from 0")
    if incoming is None and float(activation(here.weight.new_zeros(1))) != 0:
        raise ValueError(
            f"{type(activation).__name__}(0) is not 0: the gradient would not stay; give incoming weights"
        )
    added = here.weight.new_zeros(count, here.in_features) if incoming is None else torch.as_tensor(incoming)
    if added.shape != (count, here.in_features):
        raise ValueError(f"incoming has shape {tuple(added.shape)}: needs {(count, here.in_features)}")
    bias = None if here.bias is None else torch.cat([here.bias.detach(), here.bias.new_zeros(count)])
    with_weights(here, torch.cat([here.weight.detach(), added.to(here.weight)]), bias)
    outgoing = after.weight.detach()
    with_weights(after, torch.cat([outgoing, outgoing.new_zeros(len(outgoing), count)], dim=1), after.bias)
    return wide


def opened(model: nn.Sequential, layer: int) -> tuple[nn.Sequential, nn.Linear, nn.Linear, nn.Module]:
    """A copy of the network, with the hidden layer, the one behind it and the activation between."""
    wide = copy.deepcopy(model)
    return wide, *hidden_layer(wide, layer)


def hidden_layer(model: nn.Module, layer: int) -> tuple[nn.Linear, nn.Linear, nn.Module]:
    """A hidden layer, the one behind it and the activation between.

    Raises:
        UsageError: the model has other layers.
        ValueError: there is no such hidden layer.
    """
    layers = linear_layers(model)
    if not 0 <= layer < len(layers) - 1:
        raise ValueError(f"layer is {layer}: the network has {len(layers) - 1} hidden layers, counted from 0")
    return layers[layer][0], layers[layer + 1][0], layers[layer][1]


def with_weights(linear: nn.Linear, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
    """Give a layer of a new network other weights, which may have another shape."""
    linear.weight = nn.Parameter(weight.clone())
    linear.out_features, linear.in_features = weight.shape
    if bias is not None:
        linear.bias = nn.Parameter(bias.detach().clone())

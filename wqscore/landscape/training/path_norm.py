"""The path norm of a network, as a penalty."""

from __future__ import annotations

import torch
from torch import nn

from wqscore.landscape.sequential import linear_layers


def path_norm(model: nn.Module) -> torch.Tensor:
    """√ of the sum, over all paths from an input or a bias to an output, of the product of squared weights.

    Scaling a ReLU unit's incoming weights up and its outgoing ones down leaves it alone.

    Source: Neyshabur, Salakhutdinov & Srebro, "Path-SGD", NeurIPS 2015, eq. 3, p = 2.

    Args:
        model: an `nn.Sequential` of `nn.Linear` and elementwise activations.

    Returns:
        A differentiable scalar.

    Raises:
        UsageError: the model has other layers.
    """
    layers = linear_layers(model)
    paths = layers[0][0].weight.new_ones(layers[0][0].in_features)
    for linear, _ in layers:
        paths = linear.weight.square() @ paths
        if linear.bias is not None:
            paths = paths + linear.bias.square()
    return paths.sum().sqrt()

"""Merge the neurons of a layer that do the same: the inverse of `embedding`, by the rules of `wqscore width`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from wqscore.errors import UsageError
from wqscore.landscape.equivalent.embedding import hidden_layer, opened, with_weights
from wqscore.landscape.weights import float64_array
from wqscore.studies.width.activations import Activation, find_activation
from wqscore.studies.width.merging import Merged
from wqscore.studies.width.merging import merge as merge_neurons
from wqscore.studies.width.neurons import Neurons, Rays


@dataclass(frozen=True)
class NearEmbedding:
    """How near a network is to one of fewer neurons.

    Attributes:
        stored: the layer's neurons.
        effective: those that are left.
        output_change: ‖Δf‖/‖f‖ of the merged network on the examples.
        gradient_norm: ‖∇L‖ of the merged network: how near it is to a critical point of its own.
    """

    stored: int
    effective: int
    output_change: float
    gradient_norm: float


def merge(model: nn.Sequential, layer: int, tolerance: float) -> nn.Sequential:
    """Merge neurons whose incoming weights agree, and drop silent ones and constants that the next bias takes.

    What is merged is what `wqscore width` merges at that tolerance; of exact copies the network's outputs stay.

    Args:
        model: an `nn.Sequential` of `nn.Linear` and elementwise activations.
        layer: the hidden layer, from 0.
        tolerance: above 0 and below 1.

    Returns:
        A new network.

    Raises:
        UsageError: the model has other layers, or an activation that wqscore doesn't know.
        ValueError: there is no such hidden layer.
    """
    neurons = _neurons(model, layer)
    merged = merge_neurons(neurons, [tolerance])[0][0]
    return _narrow(model, layer, neurons, merged, neurons.into.vectors[merged.kept])


def near_embedding(
    model: nn.Sequential,
    layer: int,
    tolerance: float,
    inputs: torch.Tensor,
    targets: torch.Tensor,
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
) -> NearEmbedding:
    """Say how many neurons a layer effectively has, and what merging the others changes.

    As `merge`, but where the activation is not homogeneous a cluster's incoming weights are the mean of its members',
    weighted by the length of their outgoing ones.

    Args:
        model: an `nn.Sequential` of `nn.Linear` and elementwise activations.
        layer: the hidden layer, from 0.
        tolerance: above 0 and below 1.
        inputs: examples, shape (examples, in).
        targets: what the loss takes.
        loss: the mean loss of a batch.

    Raises:
        UsageError: the model has other layers, or an activation that wqscore doesn't know.
        ValueError: there is no such hidden layer.
    """
    neurons = _neurons(model, layer)
    merged = merge_neurons(neurons, [tolerance])[0][0]
    into = neurons.into.vectors[merged.kept]
    if not neurons.activation.degree:
        into = _means(neurons, merged)
    narrow = _narrow(model, layer, neurons, merged, into)
    with torch.no_grad():
        before, after = model(inputs), narrow(inputs)
    gradients = torch.autograd.grad(loss(narrow(inputs), targets), list(narrow.parameters()))
    return NearEmbedding(
        neurons.count,
        merged.effective,
        float((after - before).norm() / before.norm()),
        float(torch.cat([each.flatten() for each in gradients]).norm()),
    )


def _neurons(model: nn.Module, layer: int) -> Neurons:
    linear, following, activation = hidden_layer(model, layer)
    bias = linear.weight.new_zeros(len(linear.weight)) if linear.bias is None else linear.bias
    into = torch.cat([linear.weight, bias[:, None]], dim=1)
    outgoing = float64_array(following.weight).T
    return Neurons(Rays(float64_array(into)), outgoing, _known(activation), folds=following.bias is not None)


def _known(module: nn.Module) -> Activation:
    name = {"Identity": "linear", "Hardswish": "hardswish"}.get(type(module).__name__, type(module).__name__)
    if isinstance(module, nn.GELU) and module.approximate == "tanh":
        name = "gelu_tanh"
    found = find_activation(name)
    if found is None:
        raise UsageError(f"{type(module).__name__} is no activation that wqscore can merge the neurons of")
    return found


def _means(neurons: Neurons, merged: Merged) -> np.ndarray:
    """Of each cluster the mean of z, each turned to the leader's sign, weighted by ‖w‖."""
    signs = neurons.scales(merged.members, merged.kept[merged.places])[0][:, None]
    shares = neurons.sizes[:, None]
    total = shares[merged.kept] * neurons.into.vectors[merged.kept]
    weight = shares[merged.kept].copy()
    np.add.at(total, merged.places, signs * shares[merged.members] * neurons.into.vectors[merged.members])
    np.add.at(weight, merged.places, shares[merged.members])
    found: np.ndarray = total / weight
    return found


def _narrow(model: nn.Sequential, layer: int, neurons: Neurons, merged: Merged, into: np.ndarray) -> nn.Sequential:
    narrow, here, following, _ = opened(model, layer)
    incoming = torch.from_numpy(into).to(here.weight)
    folded = torch.from_numpy(np.asarray(merged.folded)).to(here.weight)
    outgoing = torch.from_numpy(merged.outgoing(neurons.outgoing).T.copy()).to(here.weight)
    with_weights(here, incoming[:, :-1], None if here.bias is None else incoming[:, -1])
    with_weights(following, outgoing, None if following.bias is None else following.bias.detach() + folded)
    return narrow

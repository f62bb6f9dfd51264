"""Chains of linear layers with one activation between each two: multi-layer perceptrons."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from types import MappingProxyType

from wqscore.checkpoints.tensor import Tensor
from wqscore.matrices.feed_forward import Undefined, feed_forward_chain
from wqscore.symmetries.lines import Linear
from wqscore.symmetries.naming import UnfitError, Weights, not_homogeneous
from wqscore.symmetries.sites import NAMES, Layout, Neurons


def chain_layout(tensors: Sequence[Tensor], weights: Weights) -> Layout:
    """Where the symmetries of a chain act.

    Args:
        tensors: all tensors of the model.
        weights: the same by name, with a configuration that names the activation.

    Raises:
        UnfitError: it is no chain, or has no hidden layer.
    """
    found = feed_forward_chain(tensors)
    if isinstance(found, Undefined):
        raise UnfitError(f"it is no chain of linear layers: {found.reason}")
    layers = [(layer.weight.shape, Linear(layer.weight.name, 0, _name(layer.bias))) for layer in found.layers]
    if len(layers) < 2:
        raise UnfitError("it has no hidden layer")
    neurons = tuple(
        Neurons(one.outputs(0, shape[0]), (), other.inputs(0, shape[0]))
        for (shape, one), (_, other) in pairwise(layers)
    )
    activation = weights.activation()
    reasons = {name: "it has no attention" for name in NAMES if name.startswith(("attention", "head"))}
    reasons |= {name: "it has no norm" for name in NAMES if name.startswith("norm")}
    reasons |= {name: "it has no residual stream" for name in NAMES if name.startswith("residual")}
    if reason := not_homogeneous(activation):
        reasons["neuron.scale"] = reason
    return Layout(neurons=neurons, activation=activation, is_chain=True, reasons=MappingProxyType(reasons))


def _name(bias: Tensor | None) -> str:
    return bias.name if bias else ""

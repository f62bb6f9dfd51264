"""Permute the neurons of one network so that its weights come as near another's as they can.

Coordinate descent on the hidden layers in random order, each a linear assignment: the weight matching of Ainsworth,
Hayase & Srinivasa, "Git re-basin: merging models modulo permutation symmetries", ICLR 2023 (cited from memory).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any

import numpy as np
import torch
from torch import nn

from wqscore.errors import UsageError
from wqscore.landscape.connectivity import linear_connectivity
from wqscore.landscape.measure import Choices, Estimate, PairMeasure
from wqscore.landscape.sequential import layers_of
from wqscore.landscape.task import Task
from wqscore.landscape.weights import float64_array

#: Layers that act on each number by itself, so that a permutation passes through.
ELEMENTWISE = (
    nn.ReLU, nn.LeakyReLU, nn.Tanh, nn.Sigmoid, nn.GELU, nn.SiLU, nn.ELU, nn.Softplus, nn.Identity, nn.Dropout,
)  # fmt: skip
_MAX_SWEEPS = 20
#: A gain below this share of what it is a part of is rounding.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Alignment:
    """A network whose neurons were permuted.

    Attributes:
        model: a copy of the other network that computes the same function.
        permutations: for each hidden layer, which of the other's neurons took each layer, shape (width,).
    """

    model: Any
    permutations: tuple[np.ndarray, ...]


def align(reference: Any, other: Any, seed: int = 0) -> Alignment:
    """Permute the hidden neurons of `other` to match `reference`.

    Args:
        reference: an `nn.Sequential` of Linear layers and elementwise activations; it may hold others.
        other: a network of the same layers; unchanged.
        seed: of the order of layers.

    Raises:
        UsageError: a network of other layers, or two that don't match.
    """
    check_alignable(reference, other)
    pairs = list(zip(_linear(reference), _linear(other), strict=True))
    layers = [(float64_array(a.weight), _bias(a), float64_array(b.weight), _bias(b)) for a, b in pairs]
    orders = _matched(layers, np.random.default_rng(seed))
    moved = copy.deepcopy(other)
    targets = _linear(moved)
    for layer, order in enumerate(orders):
        moved_to = _as_tensor(order, targets[layer].weight)
        here, following = targets[layer], targets[layer + 1]
        here.weight.data = here.weight.data[moved_to].clone()
        if here.bias is not None:
            here.bias.data = here.bias.data[moved_to].clone()
        following.weight.data = following.weight.data[:, moved_to].clone()
    return Alignment(moved, tuple(orders))


def check_alignable(reference: Any, other: Any) -> None:
    """Refuse networks that `align` doesn't take.

    Raises:
        UsageError: as for `align`.
    """
    for layer in chain(*layers_of(reference), *layers_of(other)):
        if not isinstance(layer, (nn.Linear, nn.Flatten, *ELEMENTWISE)):
            raise UsageError(f"a network with {type(layer).__name__} can't be aligned: give Linear and activations")
    kinds = [[type(layer) for layer in chain(*layers_of(model))] for model in (reference, other)]
    shapes = [[tuple(layer.weight.shape) for layer in _linear(model)] for model in (reference, other)]
    if kinds[0] != kinds[1] or shapes[0] != shapes[1]:
        raise UsageError("the two networks don't match: they have other layers, or layers of other shapes")
    for (width, _), (_, inputs) in pairwise(shapes[0]):
        if inputs != width:
            raise UsageError(f"a layer of {inputs} inputs after one of {width} outputs can't be aligned")


def _matched(layers: Sequence[tuple[np.ndarray, ...]], rng: np.random.Generator) -> list[np.ndarray]:
    """The permutations of the other's hidden neurons; layers as (W_A, b_A, W_B, b_B)."""
    from scipy.optimize import linear_sum_assignment

    orders = [np.arange(len(layer[0])) for layer in layers[:-1]]
    for _ in range(_MAX_SWEEPS):
        has_gained = False
        for layer in rng.permutation(len(orders)):
            likeness = _likeness(layers, orders, int(layer))
            found = linear_sum_assignment(likeness, maximize=True)[1]
            here = np.arange(len(found))
            gain = likeness[here, found].sum() - likeness[here, orders[layer]].sum()
            if gain > _ROUNDING * np.abs(likeness[here, found]).sum():
                orders[layer], has_gained = found, True
        if not has_gained:
            break
    return orders


def _likeness(layers: Sequence[tuple[np.ndarray, ...]], orders: list[np.ndarray], layer: int) -> np.ndarray:
    """W_A W_Bᵀ + b_A b_Bᵀ + W_A,nextᵀ W_B,next, the other's neighbouring layers in their present order."""
    weight, bias, other_weight, other_bias = layers[layer]
    if layer:
        other_weight = other_weight[:, orders[layer - 1]]
    following, other_following = layers[layer + 1][0], layers[layer + 1][2]
    if layer + 1 < len(orders):
        other_following = other_following[orders[layer + 1]]
    found: np.ndarray = weight @ other_weight.T + np.outer(bias, other_bias) + following.T @ other_following
    return found


def _linear(model: Any) -> list[Any]:
    return [layer for layer in chain(*layers_of(model)) if isinstance(layer, nn.Linear)]


def _bias(layer: Any) -> np.ndarray:
    return np.zeros(len(layer.weight)) if layer.bias is None else float64_array(layer.bias)


def _as_tensor(order: np.ndarray, like: Any) -> Any:
    return torch.from_numpy(order).to(like.device)


def _check(one: Task, other: Task) -> None:
    check_alignable(one.model, other.model)


def _estimates(one: Task, other: Task, choices: Choices) -> list[Estimate]:
    found = align(one.model, other.model, choices.seed)
    barrier = linear_connectivity(one, one.model, found.model)
    return [Estimate("aligned_mc_loss", barrier.mc_loss, "on the line after weight matching, 5 points")]


MEASURE = PairMeasure("aligned", ("aligned_mc_loss",), _estimates, _check)

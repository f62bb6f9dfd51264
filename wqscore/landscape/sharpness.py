"""Sharpness and curvature of a minimum, the measures φ and ψ of teleportation's paper.

Zhao, Gower, Walters & Yu, "Improving Convergence and Generalization Using Parameter Symmetries", ICLR 2024, §4.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from wqscore.landscape.flat import FlatLoss
from wqscore.landscape.measure import Choices, Estimate, ModelMeasure
from wqscore.landscape.sequential import linear_layers
from wqscore.landscape.task import Task, prepared

#: Distances from the weights, .001 to .191.
RADII = tuple(np.arange(0.001, 0.2, 0.01))
#: Random log-rates that ψ is the mean over.
_RATES = 200


@dataclass(frozen=True)
class Sharpness:
    """φ: the mean rise of the loss around the weights.

    Attributes:
        value: over all radii and directions.
        standard_error: over directions, each of which is used at all radii.
    """

    value: float
    standard_error: float


def sharpness(task: Task, radii: Sequence[float] | None = None, directions: int = 200, seed: int = 0) -> Sharpness:
    """φ: the mean of L(w + t·d) − L(w) over radii t and isotropic unit directions d.

    The published code draws directions from [0, 1) in each entry, which is not isotropic.

    Args:
        task: the loss.
        radii: by default .001, .011, … below .2.
        directions: how many, at least 2.
        seed: decides them.
    """
    if directions < 2:
        raise ValueError(f"directions is {directions}: needs at least 2")
    generator = torch.Generator().manual_seed(seed)
    with prepared(task) as level:
        loss = FlatLoss(task)
        weights = loss.weights
        rises = np.empty(directions)
        for place in range(directions):
            drawn = torch.randn(len(weights), generator=generator, dtype=torch.float64)
            unit = (drawn / drawn.norm()).to(weights)
            at = [float(loss.value(weights + radius * unit)) for radius in (RADII if radii is None else radii)]
            rises[place] = np.mean(at) - level.loss
    return Sharpness(float(rises.mean()), float(rises.std(ddof=1) / math.sqrt(directions)))


def orbit_curvature(model: nn.Module, log_rates: Sequence[torch.Tensor]) -> float:
    """The curvature κ of the path that scaling the hidden units draws in the space of weights.

    γ' = r⊙w and γ'' = r²⊙w, r being each weight's log-rate: what its unit's incoming weights grow by less what its
    outgoing ones shrink by; κ = √(‖γ'‖²‖γ''‖² − (γ'·γ'')²)/‖γ'‖³.

    Args:
        model: an `nn.Sequential` of `nn.Linear` and ReLU or LeakyReLU.
        log_rates: a vector for each hidden layer, of its width.

    Raises:
        UsageError: the model has other layers.
        ValueError: the vectors don't fit the layers, or are all 0.
    """
    layers = [linear for linear, _ in linear_layers(model)]
    widths = [linear.out_features for linear in layers[:-1]]
    if [len(rates) for rates in log_rates] != widths:
        raise ValueError(f"log_rates have lengths {[len(rates) for rates in log_rates]}: needs {widths}")
    first = layers[0].weight
    ends = [first.new_zeros(layers[0].in_features), *(rates.to(first) for rates in log_rates)]
    ends.append(first.new_zeros(layers[-1].out_features))
    speed, turn = [], []
    for linear, into, out in zip(layers, ends[:-1], ends[1:], strict=True):
        rates = out[:, None] - into[None, :]
        parts = [(linear.weight.detach(), rates)]
        if linear.bias is not None:
            parts.append((linear.bias.detach(), out))
        for weights, rate in parts:
            speed.append((rate * weights).flatten().double())
            turn.append((rate.square() * weights).flatten().double())
    once, twice = torch.cat(speed), torch.cat(turn)
    length = float(once.norm())
    if not length:
        raise ValueError("log_rates move no weight")
    # The part of γ'' across γ', rather than the difference of two large squares.
    across = twice - (once @ twice / once.square().sum()) * once
    return float(across.norm()) / length**2


def curvature(model: nn.Module, seed: int = 0) -> tuple[float, float]:
    """ψ: the mean curvature over 200 Gaussian log-rates, and its standard error.

    Args:
        model: an `nn.Sequential` of `nn.Linear` and ReLU or LeakyReLU, with a hidden layer.
        seed: decides the log-rates.

    Raises:
        UsageError: the model has other layers.
    """
    generator = torch.Generator().manual_seed(seed)
    widths = [linear.out_features for linear, _ in linear_layers(model)[:-1]]
    found = [
        orbit_curvature(model, [torch.randn(width, generator=generator, dtype=torch.float64) for width in widths])
        for _ in range(_RATES)
    ]
    return float(np.mean(found)), float(np.std(found, ddof=1) / math.sqrt(_RATES))


def _phi(task: Task, choices: Choices) -> list[Estimate]:
    found = sharpness(task, seed=choices.seed)
    margin = 1.96 * found.standard_error
    how = "200 directions, 95 % over them"
    return [Estimate("phi", found.value, how, found.value - margin, found.value + margin)]


def _psi(task: Task, choices: Choices) -> list[Estimate]:
    value, error = curvature(task.model, choices.seed)
    how = f"{_RATES} random log-rates, 95 % over them"
    return [Estimate("psi", value, how, value - 1.96 * error, value + 1.96 * error)]


PHI = ModelMeasure("phi", ("phi",), _phi)
PSI = ModelMeasure("psi", ("psi",), _psi)

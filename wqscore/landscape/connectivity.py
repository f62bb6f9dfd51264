"""How high the loss rises between two models: on the line, and on a curve that is trained to stay low.

mc = ½(L_a + L_b) − L(γ(t*)) with t* where the two differ most; below 0 there is a barrier. Yang et al., "Taxonomizing
local versus global structure in neural network loss landscapes", NeurIPS 2021 (arXiv 2107.11228), equation 2, on five
points as in its code; the curve of Garipov et al., "Loss surfaces, mode connectivity, and fast ensembling of DNNs",
NeurIPS 2018: γ(t) = (1 − t)²a + 2t(1 − t)θ + t²b.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import nan

import numpy as np
import torch
from torch import Tensor

from wqscore.errors import UsageError
from wqscore.landscape.measure import Choices, Estimate, PairMeasure
from wqscore.landscape.task import LandscapeError, Task, level, outputs, prepared
from wqscore.landscape.weights import Weights, between, distance, ends

#: Steps that a pass over the batches takes at least: of few batches each is used several times.
_LEAST_STEPS = 10
#: θ starts beside the midpoint by this share of the distance: a symmetric midpoint is a saddle.
_NOISE = 0.01


@dataclass(frozen=True)
class Barrier:
    """The largest departure from the mean of the ends.

    Attributes:
        mc_loss: of the loss; below 0 for a barrier.
        mc_error: of the percentage that is wrong; NaN for a task without.
        at: t*, where the loss departs most.
    """

    mc_loss: float
    mc_error: float
    at: float


@dataclass(frozen=True)
class Connectivity:
    """How two models are connected.

    Attributes:
        mc_loss: of the loss on the trained curve; below 0 for a barrier.
        mc_error: of the percentage that is wrong, as published; NaN for a task without.
        linear_mc_loss: of the loss on the line.
        linear_mc_error: of the percentage on the line.
        at: t*, where the loss on the curve departs most.
        linear_at: the same on the line.
        control: θ, the curve's control point: parameters by name.
    """

    mc_loss: float
    mc_error: float
    linear_mc_loss: float
    linear_mc_error: float
    at: float
    linear_at: float
    control: Mapping[str, Tensor] = field(repr=False)


def linear_connectivity(task: Task, a: Weights, b: Weights, points: int = 5) -> Barrier:
    """Measure the barrier on the line between two models.

    Args:
        task: the task, whose model gives the architecture.
        a: one model of it, or its state dict.
        b: the other.
        points: values of t, from 0 to 1.

    Raises:
        UsageError: as for `mode_connectivity`.
        LandscapeError: the loss is not finite.
    """
    one, other = ends(task.model, a, b)
    with prepared(task):
        return _barrier(task, lambda t: between(one, other, t), _positions(points))


def mode_connectivity(
    task: Task, a: Weights, b: Weights, points: int = 5, epochs: int = 50, lr: float = 0.01, seed: int = 0
) -> Connectivity:
    """Measure the barrier on the line between two models, and on a quadratic Bézier curve trained to stay low.

    θ starts at the midpoint plus small noise, and Adam lowers the loss at a uniformly random t of each step, with a
    cosine schedule. A curve that is badly trained shows a barrier that isn't there: `mc_loss` is a lower bound.

    Args:
        task: the task, whose model gives the architecture.
        a: one model of it, or its state dict.
        b: the other.
        points: values of t at which the curve is measured, from 0 to 1.
        epochs: passes over the batches; of fewer than ten batches each is used several times in a pass.
        lr: the rate that Adam starts with.
        seed: of the noise and of t.

    Raises:
        UsageError: a number out of range; the two don't have the model's parameters; or it has batch normalisation.
        LandscapeError: the loss is not finite.
    """
    if epochs < 0 or not lr > 0:
        raise UsageError(f"epochs is {epochs} and lr {lr:g}: give a number from 0, and a rate above 0")
    positions = _positions(points)
    one, other = ends(task.model, a, b)
    with prepared(task):
        line = _barrier(task, lambda t: between(one, other, t), positions)
        control = _trained(task, one, other, epochs, lr, seed)
        curve = _barrier(task, lambda t: bezier(one, control, other, t), positions)
    return Connectivity(curve.mc_loss, curve.mc_error, line.mc_loss, line.mc_error, curve.at, line.at, control)


def bezier(
    a: Mapping[str, Tensor], control: Mapping[str, Tensor], b: Mapping[str, Tensor], t: float
) -> dict[str, Tensor]:
    """The point of a quadratic Bézier curve at t."""
    return {name: (1 - t) ** 2 * a[name] + 2 * t * (1 - t) * control[name] + t**2 * b[name] for name in a}


def _positions(points: int) -> list[float]:
    if points < 3:
        raise UsageError(f"points is {points}: give at least 3, the ends and one between")
    positions: list[float] = np.linspace(0, 1, points).tolist()
    return positions


def _barrier(task: Task, path: Callable[[float], dict[str, Tensor]], positions: list[float]) -> Barrier:
    levels = [level(task, path(t)) for t in positions]
    for t, each in zip(positions, levels, strict=True):
        if not np.isfinite(each.loss):
            raise LandscapeError(f"the loss is {each.loss} at {t:g} of the way between the two models")
    of_loss, at = _departure([each.loss for each in levels], positions)
    of_error, _ = _departure([each.error for each in levels], positions)
    return Barrier(of_loss, of_error, at)


def _departure(values: list[float], positions: list[float]) -> tuple[float, float]:
    """½(first + last) less the value that is farthest from it, and where that is."""
    departures = (values[0] + values[-1]) / 2 - np.array(values)
    if not np.isfinite(departures).all():
        return nan, nan
    most = int(np.argmax(np.abs(departures)))
    return float(departures[most]), positions[most]


def _trained(
    task: Task, a: Mapping[str, Tensor], b: Mapping[str, Tensor], epochs: int, lr: float, seed: int
) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    size = sum(each.numel() for each in a.values())
    scale = _NOISE * distance(a, b) / size**0.5
    control = {
        name: (middle + scale * torch.randn(middle.shape, generator=generator).to(middle)).requires_grad_()
        for name, middle in between(a, b, 0.5).items()
    }
    optimiser = torch.optim.Adam(control.values(), lr=lr)
    steps = epochs * max(len(task.batches), _LEAST_STEPS)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(steps, 1))
    for step in range(steps):
        inputs, targets = task.batches[step % len(task.batches)]
        t = float(torch.rand((), generator=generator))
        loss = task.loss(outputs(task.model, inputs, bezier(a, control, b, t)), targets).reshape(())
        gradients = torch.autograd.grad(loss, list(control.values()), allow_unused=True)
        for each, gradient in zip(control.values(), gradients, strict=True):
            each.grad = gradient
        optimiser.step()
        schedule.step()
    return {name: each.detach() for name, each in control.items()}


def _on_line(one: Task, other: Task, choices: Choices) -> list[Estimate]:
    found = linear_connectivity(one, one.model, other.model)
    return _as_estimates("linear_mc", found.mc_loss, found.mc_error, "on the line, 5 points")


def _on_curve(one: Task, other: Task, choices: Choices) -> list[Estimate]:
    found = mode_connectivity(one, one.model, other.model, epochs=choices.epochs, seed=choices.seed)
    return _as_estimates("mc", found.mc_loss, found.mc_error, f"Bézier curve, {choices.epochs} epochs, 5 points")


def _as_estimates(name: str, loss: float, error: float, how: str) -> list[Estimate]:
    return [Estimate(f"{name}_loss", loss, how), Estimate(f"{name}_error", error, how)]


def check_ends(one: Task, other: Task) -> None:
    """Refuse two models between which there is no line.

    Raises:
        UsageError: as for `mode_connectivity`.
    """
    ends(one.model, one.model, other.model)


LINEAR = PairMeasure("linear", ("linear_mc_loss", "linear_mc_error"), _on_line, check_ends)
CURVE = PairMeasure("bezier", ("mc_loss", "mc_error"), _on_curve, check_ends)

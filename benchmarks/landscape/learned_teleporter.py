"""A learned optimizer with and without learned teleports, against gradient descent at its best learning rate.

Regression 20×20 with one hidden layer of LeakyReLU(.1). The updater, two LSTM cells on the gradient, chooses each
step's learning rate; the teleporter, two more, a generator of the `inverse` group with ‖T‖ = .01 before each step.
Both are trained on the sum of losses along trajectories, truncated every 10 steps (Zhao et al., ICLR 2024, §5).

Run `python -m benchmarks.landscape.learned_teleporter`; learned_teleporter.md is the table of the last run. A quarter
of an hour on one core.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from benchmarks.landscape.intervals import interval
from wqscore.landscape.equivalent.group_action import Affine, acted

STEPS, TRUNCATION = 100, 10
LENGTH = 0.01
LEAST_RATE, MOST_RATE = 1e-7, 5e-3
BASELINES = (1e-4, 2e-4, 3e-4, 4e-4, 5e-4, 1e-3)
ACTIVATION = nn.LeakyReLU(0.1)


@dataclass(frozen=True)
class Start:
    """A regression and the weights that a trajectory starts from, all uniform in [0, 1)."""

    inputs: torch.Tensor
    targets: torch.Tensor
    weights: tuple[torch.Tensor, torch.Tensor]


def start(seed: int, width: int) -> Start:
    """Draw a start."""
    generator = torch.Generator().manual_seed(seed)
    inputs, targets, first, last = (torch.rand(width, width, generator=generator) for _ in range(4))
    return Start(inputs, targets, (first, last))


def loss(given: Start, weights: tuple[torch.Tensor, ...]) -> torch.Tensor:
    """½‖Y − W₂σ(W₁X)‖²."""
    return (given.targets - weights[1] @ ACTIVATION(weights[0] @ given.inputs)).square().sum() / 2


class Cells(nn.Module):
    """Two LSTM cells on the logarithm of the gradient's size and on its direction."""

    def __init__(self, width: int, hidden: int, out: int) -> None:
        super().__init__()
        self.first, self.second = nn.LSTMCell(2 * width**2 + 1, hidden), nn.LSTMCell(hidden, hidden)
        self.out = nn.Linear(hidden, out)
        self.state: list[tuple[torch.Tensor, torch.Tensor] | None] = [None, None]

    def forward(self, gradient: torch.Tensor) -> torch.Tensor:
        """Return the next output, shape (out,)."""
        norm = gradient.norm().clamp_min(1e-12)
        given = torch.cat([gradient / norm, norm.log()[None] / 10])[None]
        self.state[0] = self.first(given, self.state[0])
        self.state[1] = self.second(self.state[0][0], self.state[1])
        found: torch.Tensor = self.out(self.state[1][0])[0]
        return found

    def cut(self) -> None:
        """Forget how the state came about."""
        self.state = [None if each is None else (each[0].detach(), each[1].detach()) for each in self.state]


class Learned(nn.Module):
    """The updater, with the teleporter or without."""

    def __init__(self, width: int, hidden: int, teleports: bool) -> None:
        super().__init__()
        self.width = width
        self.updater = Cells(width, 20, 1)
        self.teleporter = Cells(width, hidden, width**2) if teleports else None
        with torch.no_grad():
            self.updater.out.weight.mul_(0.1)
            self.updater.out.bias.fill_(float(np.log(3e-4)))

    def trajectory(self, given: Start, meta: torch.optim.Optimizer | None = None) -> list[float]:
        """The losses along a trajectory; with `meta` the cells are trained on it."""
        for cells in self.children():
            cells.state = [None, None]
        weights, losses = given.weights, []
        total = torch.zeros(())
        for step in range(STEPS):
            weights, found = self._step(given, weights)
            losses.append(float(found.detach()))
            total = total + found.clamp_max(1e6)
            if step % TRUNCATION == TRUNCATION - 1:
                if meta is not None and bool(total.isfinite()):
                    meta.zero_grad()
                    total.backward()
                    nn.utils.clip_grad_norm_(self.parameters(), 1.0)
                    meta.step()
                total = torch.zeros(())
                weights = tuple(each.detach() for each in weights)
                for cells in self.children():
                    cells.cut()
        return losses

    def _step(self, given: Start, weights: tuple[torch.Tensor, ...]) -> tuple[tuple[torch.Tensor, ...], torch.Tensor]:
        if self.teleporter is not None:
            generator = self.teleporter(_gradient(given, weights)).view(self.width, self.width)
            generator = LENGTH * generator / generator.norm().clamp_min(1e-12)
            layers = [Affine(weights[0], None, ACTIVATION), Affine(weights[1], None, nn.Identity())]
            weights = tuple(each.weight for each in acted("inverse", layers, [generator], given.inputs.T))
        gradient = _gradient(given, weights)
        rate = self.updater(gradient)[0].exp().clamp(LEAST_RATE, MOST_RATE)
        weights = tuple(
            each - rate * slope.view_as(each) for each, slope in zip(weights, gradient.chunk(2), strict=True)
        )
        return weights, loss(given, weights)


def _gradient(given: Start, weights: tuple[torch.Tensor, ...]) -> torch.Tensor:
    """The gradient by both matrices in one vector; no derivative is taken through it."""
    leaves = [each.detach().requires_grad_() for each in weights]
    slopes = torch.autograd.grad(loss(given, tuple(leaves)), leaves)
    return torch.cat([each.flatten() for each in slopes])


def descent(given: Start, rate: float) -> list[float]:
    """The losses of gradient descent."""
    weights: tuple[torch.Tensor, ...] = given.weights
    losses = []
    for _ in range(STEPS):
        slopes = _gradient(given, weights).chunk(2)
        weights = tuple(each - rate * slope.view_as(each) for each, slope in zip(weights, slopes, strict=True))
        losses.append(float(loss(given, weights)))
    return losses


def trained(width: int, hidden: int, teleports: bool, trajectories: int) -> Learned:
    """Train the cells on starts that no test uses."""
    torch.manual_seed(0)
    model = Learned(width, hidden, teleports)
    groups = [{"params": model.updater.parameters(), "lr": 1e-3}]
    if model.teleporter is not None:
        groups.append({"params": model.teleporter.parameters(), "lr": 1e-4})
    meta = torch.optim.Adam(groups)
    for seed in range(trajectories):
        model.trajectory(start(10_000 + seed, width), meta)
    return model


def table(width: int, hidden: int, trajectories: int) -> str:
    """Losses of 20 unseen starts: median at steps 10, 30 and 100, quartiles at the end, and there the mean change."""
    lines = [
        "| optimizer | step 10 | step 30 | step 100 | quartiles | against learned updates (95 %) |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    starts = [start(seed, width) for seed in range(20)]
    runs = {f"gradient descent, lr {rate:g}": [descent(each, rate) for each in starts] for rate in BASELINES}
    for teleports in (False, True):
        model = trained(width, hidden, teleports, trajectories)
        name = "learned updates and teleports" if teleports else "learned updates"
        with torch.no_grad():
            runs[name] = [_tested(model, each) for each in starts]
    ends = {name: np.array(losses)[:, -1] for name, losses in runs.items()}
    for name, losses in runs.items():
        found = np.nan_to_num(np.array(losses)[:, [9, 29, 99]], nan=np.inf, posinf=np.inf)
        middle = " | ".join(f"{each:.4g}" for each in np.median(found, axis=0))
        if not np.isfinite(found).all():
            lines.append(f"| {name} | {middle} | {np.isinf(found[:, 2]).sum()} diverge | |")
            continue
        low, high = np.quantile(found[:, 2], (0.25, 0.75))
        change = "{:+.2f} ({:+.2f} to {:+.2f})".format(*interval(ends[name] - ends["learned updates"]))
        compared = "" if name == "learned updates" else change
        lines.append(f"| {name} | {middle} | {low:.4g} to {high:.4g} | {compared} |")
    return "\n".join(lines)


def _tested(model: Learned, given: Start) -> list[float]:
    with torch.enable_grad():
        return model.trajectory(given)


if __name__ == "__main__":
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--width", type=int, default=20, help="rows and columns of everything")
    parser.add_argument("--hidden", type=int, default=300, help="of the teleporter's cells")
    parser.add_argument("--trajectories", type=int, default=700, help="to train on, of 100 steps each")
    chosen = parser.parse_args()
    print(table(chosen.width, chosen.hidden, chosen.trajectories))

"""Does teleportation train faster? One teleport of an exact group, and five optimisers on digits.

Beside every teleport stand a sweep of learning rates, a random element of the same group and, for scaling, an
initialisation that is larger by half: what it gains must be more than what these gain.

Run `python -m benchmarks.landscape.teleports`; teleports.md is the table of the last run. Some minutes on one core.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from benchmarks.landscape.digits import split
from benchmarks.landscape.intervals import interval
from wqscore.landscape.equivalent.teleport import Teleport

SEEDS = 20
#: Learning rates of the exact regime: 1e-4 is the published one.
RATES = (3e-5, 1e-4, 3e-4, 1e-3)
OPTIMISERS: dict[str, tuple[Callable[..., torch.optim.Optimizer], tuple[float, ...]]] = {
    "SGD": (torch.optim.SGD, (0.01, 0.1, 0.3)),
    "momentum": (lambda parameters, lr: torch.optim.SGD(parameters, lr=lr, momentum=0.9), (0.001, 0.01, 0.1)),
    "Adagrad": (torch.optim.Adagrad, (0.01, 0.03, 0.1)),
    "RMSProp": (torch.optim.RMSprop, (1e-4, 1e-3, 1e-2)),
    "Adam": (torch.optim.Adam, (1e-4, 1e-3, 1e-2)),
}
WAYS = ("plain", "ascent", "random signs", "larger start")
STEPS, BATCH = 300, 20


def regression(seed: int, rate: float, lr: float | None) -> tuple[list[float], float]:
    """Losses of gradient descent on a 20×20 regression with one hidden layer, and the growth of ‖g‖².

    Args:
        seed: of the data and of the weights, uniform in [0, 1).
        rate: learning rate.
        lr: of the 8 ascent steps of one `inverse` teleport at step 5; `None` for plain gradient descent.
    """
    generator = torch.Generator().manual_seed(seed)
    inputs, targets, first, last = (torch.rand(20, 20, generator=generator, dtype=torch.float64) for _ in range(4))
    linear = [nn.Linear(20, 20, bias=False, dtype=torch.float64) for _ in range(2)]
    model = nn.Sequential(linear[0], nn.LeakyReLU(0.1), linear[1])
    with torch.no_grad():
        linear[0].weight.copy_(first)
        linear[1].weight.copy_(last)

    def loss(output: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        return (output - wanted).square().sum() / 2

    losses, growth = [], 1.0
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    for step in range(301):
        if step == 5 and lr is not None:
            try:
                moved = Teleport(model, "inverse").ascend(inputs, targets, loss, steps=8, lr=lr)
            except (ValueError, RuntimeError):
                return [np.inf], np.nan
            growth = (moved.grad_after or 0) ** 2 / max((moved.grad_before or 0) ** 2, 1e-300)
        optimizer.zero_grad()
        found = loss(model(inputs), targets)
        losses.append(float(found.detach()))
        found.backward()
        optimizer.step()
    return losses, growth


def regression_table() -> str:
    """Medians over seeds; a run that diverges counts as the largest."""
    lines = [
        "| learning rate | lr of the ascent | loss at step 50 | at step 300 | ‖g‖² times | diverged |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for rate in RATES:
        for lr in (None, 1e-8, 1e-7, 3e-7):
            runs = [regression(seed, rate, lr) for seed in range(SEEDS)]
            ends = np.array([[losses[min(place, len(losses) - 1)] for place in (50, -1)] for losses, _ in runs])
            ends[~np.isfinite(ends) | (ends > 1e12)] = np.inf
            lost = int((~np.isfinite(ends[:, 1])).sum())
            middle = [f"{each:.3g}" if np.isfinite(each) else "diverges" for each in np.median(ends, axis=0)]
            growth = f"{np.nanmedian([each for _, each in runs]):.2f}" if lr else ""
            lines.append(
                f"| {rate:g} | {f'{lr:g}' if lr else 'no teleport'} | {middle[0]} | {middle[1]} | {growth} | {lost} |"
            )
    return "\n".join(lines)


def digits_loss(optimiser: str, rate: float, way: str, seed: int) -> float:
    """The training loss on digits after some epochs, with two scalings to the bound, at steps 30 and 60."""
    torch.manual_seed(seed)
    inputs, targets = split(seed, 0.0, train=1000).train
    model = nn.Sequential(nn.Linear(64, 16), nn.LeakyReLU(), nn.Linear(16, 10), nn.LeakyReLU(), nn.Linear(10, 10))
    if way == "larger start":
        with torch.no_grad():
            for each in model.parameters():
                each.mul_(1.5)
    optimizer = OPTIMISERS[optimiser][0](model.parameters(), lr=rate)
    teleport = Teleport(model, "scale", bound=1.0)
    order = np.random.default_rng([seed, 1])
    for step in range(STEPS):
        batch = torch.from_numpy(order.choice(len(targets), BATCH, replace=False))
        if step in (30, 60) and way == "ascent":
            teleport.ascend(inputs[:200], targets[:200], cross_entropy, steps=5)
        elif step == 30 and way == "random signs":
            teleport.randomise(seed)
        optimizer.zero_grad()
        cross_entropy(model(inputs[batch]), targets[batch]).backward()
        optimizer.step()
    with torch.no_grad():
        return float(cross_entropy(model(inputs), targets))


def digits_table() -> str:
    """Mean training losses, and how often a way beats plain training at the same rate."""
    lines = [
        "| optimiser | learning rate | plain | ascent | random signs | larger start | ascent less plain (95 %) |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, (_, rates) in OPTIMISERS.items():
        for rate in rates:
            found = {way: np.array([digits_loss(name, rate, way, seed) for seed in range(SEEDS)]) for way in WAYS}
            wins = {way: int((found[way] < found["plain"]).sum()) for way in WAYS}
            cells = [
                f"{np.median(found[way]):.3f}" + ("" if way == "plain" else f" ({wins[way]} of {SEEDS})")
                for way in WAYS
            ]
            mean, low, high = interval(found["ascent"] - found["plain"])
            lines.append(f"| {name} | {rate:g} | {' | '.join(cells)} | {mean:+.3f} ({low:+.3f} to {high:+.3f}) |")
    return "\n".join(lines)


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(f"{regression_table()}\n\n{digits_table()}")

"""Sharpness φ and curvature ψ of minima against their validation loss, in isotropic and in published directions.

63 networks 64-16-10-10 with LeakyReLU on 500 digits by SGD, 3 batch sizes × 3 learning rates × 7 seeds, trained to
the same training loss, or left out where they don't reach it.

Run `python -m benchmarks.landscape.minima`; minima.md is the table of the last run. Some ten minutes on one core.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from benchmarks.landscape.digits import split
from benchmarks.landscape.intervals import correlation
from benchmarks.landscape.measured import LANDSCAPE, measured
from wqscore.landscape.task import Task

BATCHES, RATES, SEEDS = (5, 20, 80), (0.03, 0.1, 0.3), range(7)
TARGET, MOST_STEPS = 0.01, 30_000


def minimum(batch: int, rate: float, seed: int) -> dict[str, float] | None:
    """Train one network and measure it; `None` if it doesn't reach the training loss."""
    torch.manual_seed(seed)
    digits = split(seed, 0.0, train=500)
    model = nn.Sequential(nn.Linear(64, 16), nn.LeakyReLU(), nn.Linear(16, 10), nn.LeakyReLU(), nn.Linear(10, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    order = np.random.default_rng([seed, 1])
    inputs, targets = digits.train
    for step in range(MOST_STEPS):
        chosen = torch.from_numpy(order.choice(len(targets), batch, replace=False))
        optimizer.zero_grad()
        cross_entropy(model(inputs[chosen]), targets[chosen]).backward()
        optimizer.step()
        if step % 50 == 49:
            with torch.no_grad():
                reached = float(cross_entropy(model(inputs), targets))
            if reached <= TARGET:
                break
    else:
        return None
    model = model.double()
    task = Task(model, [(inputs.double(), targets)], cross_entropy)
    with torch.no_grad():
        test = torch.cat([digits.validation[0], digits.test[0]]).double()
        validation = float(cross_entropy(model(test), torch.cat([digits.validation[1], digits.test[1]])))
    return measured(task) | {"validation_loss": validation}


def table() -> str:
    """Correlations with validation loss, over all minima and inside each setting of batch and learning rate."""
    settings = [(batch, rate) for batch, rate in product(BATCHES, RATES)]
    found = [(setting, minimum(*setting, seed)) for setting in settings for seed in SEEDS]
    rows = [(setting, row) for setting, row in found if row is not None]
    quality = np.array([row["validation_loss"] for _, row in rows])
    lines = [
        f"{len(rows)} of {len(found)} networks reach a training loss of {TARGET}.",
        "",
        "| measure | Pearson (95 %) | Spearman (95 %) | Spearman inside a setting |",
        "| --- | --- | --- | --- |",
    ]
    for name in ("norm", *LANDSCAPE):
        values = np.array([row[name] for _, row in rows])
        if np.ptp(values) == 0:
            lines.append(f"| {name} | the same in all | | |")
            continue
        within = []
        for setting in settings:
            mine = np.array([where == setting for where, _ in rows])
            if mine.sum() > 3 and np.ptp(values[mine]) > 0:
                within.append(correlation(values[mine], quality[mine], spearman=True, draws=1)[0])
        cells = [
            "{:+.2f} ({:+.2f} to {:+.2f})".format(*correlation(values, quality, spearman=spearman))
            for spearman in (False, True)
        ]
        lines.append(f"| {name} | {' | '.join(cells)} | {np.mean(within):+.2f} over {len(within)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(table())

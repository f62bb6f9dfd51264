"""Do all optimisers generalise alike once the objective is explicit? Ridge exactly, and a network on digits.

Ridge regression on random features (benchmarks.zoo.double_descent) by three solvers, converged and stopped early;
then an MLP 64-64-10 on 200 digits with 20 % wrong labels by SGD, momentum and Adam, with an explicit objective and
without: the spread of the test error over optimisers.

Run `python -m benchmarks.landscape.optimisers`; optimisers.md is the table of the last run. Some minutes on one core.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from benchmarks.landscape.digits import error, split
from benchmarks.landscape.intervals import interval
from benchmarks.zoo.double_descent import data, features, ridge
from wqscore.landscape.training.dropout import dropout_penalty

SEEDS = 10
WIDTH = 100
STRENGTH = 0.215
EARLY = 20
#: Learning rates that train to the end in as many steps.
OPTIMISERS = {
    "SGD": lambda parameters: torch.optim.SGD(parameters, lr=0.1),
    "momentum": lambda parameters: torch.optim.SGD(parameters, lr=0.03, momentum=0.9),
    "Adam": lambda parameters: torch.optim.Adam(parameters, lr=1e-3),
}
OBJECTIVES = {
    "cross-entropy": lambda model, x, y: cross_entropy(model(x), y),
    "and dropout penalty": lambda model, x, y: cross_entropy(model(x), y) + dropout_penalty(model, x, 0.5),
    "and weight decay": lambda model, x, y: (
        cross_entropy(model(x), y) + 3e-3 * sum(each.square().sum() for each in model.parameters())
    ),
}


def gradient_descent(rows: np.ndarray, targets: np.ndarray, strength: float, steps: int) -> np.ndarray:
    """Ridge by gradient descent from 0, at the largest step that can't diverge."""
    curvature = np.linalg.norm(rows, 2) ** 2 + strength
    weights = np.zeros(rows.shape[1])
    for _ in range(steps):
        weights -= (rows.T @ (rows @ weights - targets) + strength * weights) / curvature
    return weights


def conjugate_gradients(rows: np.ndarray, targets: np.ndarray, strength: float, steps: int) -> np.ndarray:
    """Ridge by conjugate gradients on the normal equations, from 0."""
    weights = np.zeros(rows.shape[1])
    residual = rows.T @ targets
    direction, square = residual.copy(), residual @ residual
    for _ in range(steps):
        if square < 1e-30:
            break
        image = rows.T @ (rows @ direction) + strength * direction
        rate = square / (direction @ image)
        weights += rate * direction
        residual -= rate * image
        direction, square = residual + (residual @ residual / square) * direction, residual @ residual
    return weights


def ridge_table() -> str:
    """The largest difference of two solvers' weights, relative to the closed form's largest weight."""
    lines = ["| λ | steps of gradient descent, conjugate gradients | largest difference |", "| --- | --- | --- |"]
    for strength, steps in ((STRENGTH, (50_000, 300)), (STRENGTH, (EARLY, 5)), (1e-8, (EARLY, 5))):
        worst = 0.0
        for seed in range(SEEDS):
            drawn = data(seed)
            rows, targets = features(drawn.train[0], seed, WIDTH), drawn.train[1]
            exact = ridge(rows, targets, np.array([strength]))[:, 0]
            for solver, count in zip((gradient_descent, conjugate_gradients), steps, strict=True):
                found = solver(rows, targets, strength, count)
                worst = max(worst, float(abs(found - exact).max() / abs(exact).max()))
        lines.append(f"| {strength:g} | {steps[0]:,}, {steps[1]} | {worst:.1e} |")
    return "\n".join(lines)


def network_error(optimiser: str, objective: str, seed: int, steps: int = 4000) -> float:
    """The test error of one network, trained to the end."""
    torch.manual_seed(seed)
    digits = split(seed, 0.2)
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = OPTIMISERS[optimiser](model.parameters())
    order = np.random.default_rng([seed, 1])
    inputs, targets = digits.train
    for _ in range(steps):
        batch = torch.from_numpy(order.choice(len(targets), 40, replace=False))
        optimizer.zero_grad()
        OBJECTIVES[objective](model, inputs[batch], targets[batch]).backward()
        optimizer.step()
    return error(model, digits.test)


def network_table() -> str:
    """Test errors by optimiser, and their spread: largest less least for one seed."""
    lines = [
        f"| objective | {' | '.join(OPTIMISERS)} | spread (95 %) |",
        "| --- | --- | --- | --- | --- |",
    ]
    for objective in OBJECTIVES:
        errors = np.array(
            [[network_error(optimiser, objective, seed) for optimiser in OPTIMISERS] for seed in range(SEEDS)]
        )
        mean, low, high = interval(errors.max(axis=1) - errors.min(axis=1))
        cells = " | ".join(f"{each:.2f}" for each in errors.mean(axis=0))
        lines.append(f"| {objective} | {cells} | {mean:.2f} ({low:.2f} to {high:.2f}) |")
    return "\n".join(lines)


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(f"{ridge_table()}\n\n{network_table()}")

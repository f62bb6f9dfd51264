"""Perturbed steps, all-layer margins, the Jacobian and dropout penalties against plain training, on digits.

An MLP 64-64-64-10 on 200 digits, with clean labels and with 20 % wrong ones, Adam, 600 steps. Each method's
strength is the best on validation data over 5 seeds; 20 other seeds are then trained and tested, isotropic noise at
every level.

Run `python -m benchmarks.landscape.regularisers --out RUNS.jsonl`: it goes on where it stopped; regularisers.md is
the table of the last run. Some ten minutes on one core.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from benchmarks.landscape.digits import Digits, error, split
from benchmarks.landscape.intervals import interval
from benchmarks.zoo.table import Table
from wqscore.landscape.margin import amo_step
from wqscore.landscape.training.dropout import dropout_penalty
from wqscore.landscape.training.jacobian import jacobian_penalty
from wqscore.landscape.training.perturbed import PerturbedOptimizer

WIDTHS = (64, 64, 64, 10)
STEPS, BATCH, RATE = 600, 20, 1e-3
NOISE = (0.0, 0.2)
CHOOSING, TESTING = range(100, 105), range(20)
#: By method; all strengths of isotropic noise are tested.
STRENGTHS: Mapping[str, tuple[float, ...]] = {
    "isotropic noise": (0.05, 0.1, 0.2, 0.4),
    "noise by curvature": (10, 1e3, 1e4),
    "all-layer margin": (0.001, 0.01, 0.1),
    "Jacobian": (0.001, 0.01, 0.1),
    "dropout penalty": (0.1, 0.3, 0.5),
}
PLAIN = "plain"
#: Columns that say which run a row is of.
_KEY = ("method", "strength", "noise", "seed")

Loss = Callable[[nn.Sequential, torch.Tensor, torch.Tensor], torch.Tensor]


def trained(data: Digits, method: str, strength: float, seed: int) -> nn.Sequential:
    """Train one network."""
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    for rows, columns in zip(WIDTHS[1:], WIDTHS[:-1], strict=True):
        layers += [nn.Linear(columns, rows), nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    plain = torch.optim.Adam(model.parameters(), lr=RATE)
    options = {"isotropic": strength} if method == "isotropic noise" else {"eta": strength}
    noisy = PerturbedOptimizer(plain, seed=seed, **options) if "noise" in method else None
    loss = _loss(method, strength)
    order = np.random.default_rng([seed, 1])
    inputs, targets = data.train
    for _ in range(STEPS):
        batch = torch.from_numpy(order.choice(len(targets), BATCH, replace=False))
        x, y = inputs[batch], targets[batch]
        if noisy:
            noisy.perturb(lambda x=x, y=y: cross_entropy(model(x), y))
        plain.zero_grad()
        loss(model, x, y).backward()
        if noisy:
            noisy.restore()
        plain.step()
    return model


def _loss(method: str, strength: float) -> Loss:
    if method == "all-layer margin":
        return lambda model, x, y: amo_step(model, x, y, cross_entropy, strength)
    if method == "Jacobian":
        return lambda model, x, y: cross_entropy(model(x), y) + strength * jacobian_penalty(model, x, y)
    if method == "dropout penalty":
        return lambda model, x, y: cross_entropy(model(x), y) + dropout_penalty(model, x, strength)
    return lambda model, x, y: cross_entropy(model(x), y)


class Runs:
    """Finished runs by their key, one a line of a file."""

    def __init__(self, path: Path) -> None:
        self._table = Table(path)
        self._table.repair()
        self._rows: dict[tuple[object, ...], dict[str, Any]] = {
            tuple(row[name] for name in _KEY): row for row in self._table.rows()
        }

    def run(self, method: str, strength: float, noise: float, seed: int) -> dict[str, Any]:
        """A run's errors in percent, trained now or found."""
        key = (method, strength, noise, seed)
        if key not in self._rows:
            data = split(seed, noise)
            model = trained(data, method, strength, seed)
            errors = {name: error(model, getattr(data, name)) for name in ("train", "validation", "test")}
            self._rows[key] = dict(zip(_KEY, key, strict=True)) | errors
            self._table.append(self._rows[key])
        return self._rows[key]


def chosen(runs: Runs, method: str, noise: float) -> tuple[float, ...]:
    """The strengths of a method that are tested."""
    strengths = STRENGTHS[method]
    if method == "isotropic noise":
        return strengths
    means = [np.mean([runs.run(method, each, noise, seed)["validation"] for seed in CHOOSING]) for each in strengths]
    return (strengths[int(np.argmin(means))],)


def table(runs: Runs) -> str:
    """Test errors against plain training of the same seed, as Markdown."""
    lines = [
        "| labels | method | strength | test error, % | change (95 %) | seeds better | training error, % |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for noise in NOISE:
        labels = f"{noise:.0%} wrong" if noise else "clean"
        plain = [runs.run(PLAIN, 0.0, noise, seed) for seed in TESTING]
        lines.append(f"| {labels} | plain | | {_mean(plain, 'test')} | | | {_mean(plain, 'train')} |")
        for method in STRENGTHS:
            for strength in chosen(runs, method, noise):
                rows = [runs.run(method, strength, noise, seed) for seed in TESTING]
                change = np.array([row["test"] - base["test"] for row, base in zip(rows, plain, strict=True)])
                mean, low, high = interval(change)
                lines.append(
                    f"| {labels} | {method} | {strength:g} | {_mean(rows, 'test')} | {mean:+.2f} ({low:+.2f} to "
                    f"{high:+.2f}) | {(change < 0).sum()} of {len(change)} | {_mean(rows, 'train')} |"
                )
    return "\n".join(lines)


def _mean(rows: list[dict[str, Any]], name: str) -> str:
    return f"{np.mean([row[name] for row in rows]):.2f}"


def main() -> None:
    """Train what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="file of finished runs, a line each")
    print(table(Runs(parser.parse_args().out)))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()

"""What weight matching does to the barrier on the line between two MLPs, and whether it finds a planted permutation.

Usage: python -m benchmarks.alignment

Writes `alignment.md` here; some minutes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from benchmarks.machine import machine_line
from benchmarks.zoo.digits_mlp import mlp
from benchmarks.zoo.tasks import load_task
from wqscore.landscape import Task, align, linear_connectivity

HERE = Path(__file__).parent
WIDTHS, SEEDS, STEPS = (16, 64, 256), 10, 400


def trained(width: int, seed: int, inputs: torch.Tensor, targets: torch.Tensor) -> nn.Sequential:
    """Return an MLP of one hidden layer that has learned all examples, in float64."""
    network = mlp(64, width, 10, seed=seed)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(STEPS):
        optimiser.zero_grad()
        cross_entropy(network(inputs), targets).backward()
        optimiser.step()
    return network.double()


def planted(network: nn.Sequential, seed: int) -> tuple[nn.Sequential, np.ndarray]:
    """Return a copy with its hidden neurons in another order, and that order's inverse."""
    order = torch.randperm(network[0].out_features, generator=torch.Generator().manual_seed(seed))
    copy = mlp(network[0].in_features, network[0].out_features, 10, seed=0).double()
    copy[0].weight.data, copy[0].bias.data = network[0].weight.data[order], network[0].bias.data[order]
    copy[2].weight.data, copy[2].bias.data = network[2].weight.data[:, order], network[2].bias.data
    return copy, np.argsort(order.numpy())


def main() -> None:
    """Measure, and write the table."""
    torch.set_num_threads(1)
    digits = load_task("digits", "mlp", Path("checkpoints/zoo/wheels"))
    inputs, targets = torch.from_numpy(digits.inputs), torch.from_numpy(digits.labels)
    lines = [
        "# Weight matching",
        "",
        f"Pairs of MLPs 64-w-10 with ReLU on 1,200 digits, {STEPS} full-batch steps of Adam, {SEEDS} pairs of each "
        "width. Barrier: −`mc_loss` on the line, five points. Written by `python -m benchmarks.alignment`.",
        "",
        machine_line(["wqscore", "torch", "scipy"]),
        "",
        "| width | barrier | after matching | ratio, median | ratio, largest | planted found | largest Δlogit |",
        "|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for width in WIDTHS:
        before, after, found, moved = [], [], 0, 0.0
        for seed in range(SEEDS):
            one, other = (trained(width, place, inputs, targets) for place in (2 * seed, 2 * seed + 1))
            task = Task(one, [(inputs.double(), targets)], cross_entropy)
            matched = align(one, other, seed).model
            before.append(-linear_connectivity(task, one, other).mc_loss)
            after.append(-linear_connectivity(task, one, matched).mc_loss)
            change = (matched(inputs.double()) - other(inputs.double())).detach().abs().max()
            moved = max(moved, float(change))
            copy, order = planted(one, seed)
            found += np.array_equal(align(one, copy, seed).permutations[0], order)
        ratios = np.array(after) / np.array(before)
        lines.append(
            f"| {width} | {np.mean(before):.3f} | {np.mean(after):.3f} | {np.median(ratios):.3f} | "
            f"{ratios.max():.3f} | "
            f"{found} of {SEEDS} | {moved:.1e} |"
        )
        print(lines[-1], flush=True)
    (HERE / "alignment.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

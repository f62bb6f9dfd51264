"""The grid of phases: MLPs of seven widths and seven batch sizes on noisy digits, all trained for equal steps.

Usage: python -m benchmarks.zoo.grid [--out DIR]

Trains four copies of each cell, measures each and every pair of them, and writes `grid.csv` and `grid.md` here. Killed,
it goes on where it was. Equal steps, never equal epochs: with equal epochs large batches have hardly trained, and every
sign turns around.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr
from torch.nn.functional import cross_entropy

import wqscore
from benchmarks.machine import machine_line
from benchmarks.zoo.digits_mlp import EXAMPLES, LABEL_NOISE, data, error, mlp
from benchmarks.zoo.table import Table
from benchmarks.zoo.train import Schedule, train
from wqscore.landscape import Task, answers_alike, hessian, mode_connectivity
from wqscore.landscape.weights import distance, ends

HERE = Path(__file__).parent
WIDTHS = (2, 4, 6, 10, 16, 28, 48)
BATCHES = (4, 8, 16, 32, 64, 128, 250)
COPIES, STEPS, LR, PROBES, EPOCHS = 4, 1_000, 0.03, 30, 50
#: A mean training loss above this is not trained: the labels' noise alone is worth 0.5 nats.
TRAINED = 1.0
_DRAWS = 1_000
Row = dict[str, Any]
#: Columns of a copy, and of a pair of copies.
_OF_COPIES = ("train_loss", "train_error", "test_error", "hessian_top", "hessian_trace")
_OF_PAIRS = ("mc_error", "mc_loss", "linear_mc_loss", "cka", "l2")


@dataclass(frozen=True)
class Cell:
    """A width and a batch size."""

    width: int
    batch: int

    @property
    def name(self) -> str:
        """What its row is called."""
        return f"w{self.width}-b{self.batch}"


def measured(cell: Cell) -> Row:
    """Train a cell's copies and measure them; depends on nothing but the cell."""
    found = data()
    tasks, copies = [], []
    for seed in range(COPIES):
        network = mlp(64, cell.width, cell.width, 10, seed=seed)
        for _ in train(network, found.train, Schedule("sgd", LR, cell.batch, 0.0, STEPS, seed), ()):
            pass
        network.eval().double()
        task = Task(network, [(found.train.inputs.double(), found.train.labels)], cross_entropy, _wrong)
        tasks.append(task)
        of_loss = hessian(task, probes=PROBES, seed=seed)
        test = found.test[0].double(), found.test[1]
        copies.append(
            {
                "train_loss": float(cross_entropy(network(task.batches[0][0]), task.batches[0][1]).detach()),
                "train_error": error(network, task.batches[0]),
                "test_error": error(network, test),
                "hessian_top": of_loss.top[0],
                "hessian_trace": of_loss.trace,
            }
        )
    pairs = [
        {"a": a, "b": b, **_between(tasks[a], tasks[b])} for a, b in combinations(range(COPIES), 2)
    ]  # fmt: skip
    return {"model": cell.name, "width": cell.width, "batch": cell.batch, "copies": copies, "pairs": pairs}


def _between(one: Task, other: Task) -> dict[str, float]:
    found = mode_connectivity(one, one.model, other.model, epochs=EPOCHS)
    return {
        "mc_error": found.mc_error,
        "mc_loss": found.mc_loss,
        "linear_mc_loss": found.linear_mc_loss,
        "cka": answers_alike(one, other),
        "l2": distance(*ends(one.model, one.model, other.model)),
    }


def _wrong(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return 100 * (outputs.argmax(1) != targets).double().mean()


def cell_row(row: Row, chosen: Sequence[int] = range(COPIES)) -> dict[str, float]:
    """A cell's numbers: means over copies and pairs; logarithms of means, as published.

    Args:
        row: the cell's row.
        chosen: the copies that count, some more than once when they are drawn again.
    """
    copies = [row["copies"][place] for place in chosen]
    # A copy drawn twice makes no pair with itself.
    pairs = [
        pair for a, b in combinations(sorted(chosen), 2) for pair in row["pairs"] if (pair["a"], pair["b"]) == (a, b)
    ]
    mean = {name: float(np.mean([copy[name] for copy in copies])) for name in _OF_COPIES}
    mean |= {name: float(np.mean([pair[name] for pair in pairs or row["pairs"]])) for name in _OF_PAIRS}
    return {
        "width": row["width"],
        "batch": row["batch"],
        "train_loss": mean["train_loss"],
        "train_error": mean["train_error"],
        "test_accuracy": 100 - mean["test_error"],
        "test_accuracy_se": float(np.std([copy["test_error"] for copy in copies], ddof=1) / len(copies) ** 0.5),
        "log_hessian_top_eig": log(max(mean["hessian_top"], 1e-12)),
        "log_hessian_trace": log(max(mean["hessian_trace"], 1e-12)),
        "mode_connectivity": mean["mc_error"],
        "mc_loss": mean["mc_loss"],
        "linear_mc_loss": mean["linear_mc_loss"],
        "cka_last": mean["cka"],
        "l2_distance": mean["l2"],
    }


def collect(rows: Sequence[Row]) -> None:
    """Write `grid.csv` and `grid.md` of the rows."""
    cells = [cell_row(row) for row in sorted(rows, key=lambda row: (row["width"], row["batch"]))]
    with (HERE / "grid.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [*cells[0]], lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: f"{value:.6g}" for name, value in cell.items()} for cell in cells)
    (HERE / "grid.md").write_text("\n".join(_page(rows, cells)) + "\n", encoding="utf-8")


def _page(rows: Sequence[Row], cells: Sequence[dict[str, float]]) -> list[str]:
    lines = [
        "# The grid of phases",
        "",
        f"MLPs 64-w-w-10 with ReLU on {EXAMPLES} digits, {LABEL_NOISE:.0%} of their labels replaced: {len(WIDTHS)} widths, "
        f"{len(BATCHES)} batch sizes, {COPIES} copies of each cell, all trained for {STEPS:,} steps of SGD with momentum "
        f"0.9 (rate {LR}, cosine). Written by `python -m benchmarks.zoo.grid`; the cells are in `grid.csv`. Intervals: 95 % "
        f"over {_DRAWS:,} draws of the copies of each cell, the phases as they are.",
        "",
        machine_line(["wqscore", "torch", "scipy"]),
        "",
        "## Phases",
    ]
    drawn = _draws(rows)
    accuracy = np.array([[cell["test_accuracy"] for cell in draw] for draw in drawn])
    for rule in ("2means", "median"):
        lines += ["", *_phases(rule, cells, accuracy)]
    lines += ["", "## Within a width, and over all", "", *_correlations(cells, drawn)]
    best = {
        width: max((c for c in cells if c["width"] == width), key=lambda c: c["test_accuracy"]) for width in WIDTHS
    }
    lines += ["", "## The best cell of each width", ""]
    lines += [
        "| width | batch | test accuracy | train loss | log top eigenvalue | CKA |",
        "|--:|--:|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {width} | {c['batch']:g} | {c['test_accuracy']:.1f} ± {c['test_accuracy_se']:.1f} | {c['train_loss']:.3f} | "
        f"{c['log_hessian_top_eig']:.2f} | {c['cka_last']:.2f} |"
        for width, c in best.items()
    ]
    return lines


def _phases(rule: str, cells: Sequence[dict[str, float]], accuracy: np.ndarray) -> list[str]:
    found = wqscore.phase(
        HERE / "grid.csv", "width", "batch", "test_accuracy", thresholds=rule, loss="train_loss", trained=TRAINED
    )
    places: dict[str, list[int]] = {}
    order = {(cell["width"], cell["batch"]): place for place, cell in enumerate(cells)}
    for cell in found.cells:
        places.setdefault(cell.phase, []).append(order[cell.size, cell.temperature])
    assert found.thresholds is not None
    bounds = found.thresholds
    lines = [
        f"Thresholds by {rule}: log top eigenvalue {bounds.sharp:.2f}, |mode connectivity| {bounds.barrier:.2f}, CKA "
        f"{bounds.similar:.3f}; not trained above a loss of {TRAINED:g}.",
        "",
        "| phase | cells | widths | test accuracy | interval | best cell |",
        "|---|--:|---|--:|---|--:|",
    ]
    for phase, members in sorted(places.items(), key=lambda item: -accuracy[:, item[1]].mean()):
        low, high = np.percentile(accuracy[:, members].mean(1), (2.5, 97.5))
        widths = sorted({int(cells[place]["width"]) for place in members})
        means = [cells[place]["test_accuracy"] for place in members]
        lines.append(
            f"| {phase} | {len(members)} | {widths[0]} to {widths[-1]} | {np.mean(means):.1f} | {low:.1f} to {high:.1f} "
            f"| {max(means):.1f} |"
        )
    return lines


def _correlations(cells: Sequence[dict[str, float]], drawn: Sequence[Sequence[dict[str, float]]]) -> list[str]:
    names = (
        "log_hessian_top_eig",
        "log_hessian_trace",
        "mode_connectivity",
        "mc_loss",
        "cka_last",
        "train_loss",
        "batch",
    )
    lines = [
        "Spearman with test accuracy, over the seven batch sizes of a width and over all cells; 95 % over draws of copies.",
        "",
        f"| width | {' | '.join(names)} |",
        f"|--:|{'---|' * len(names)}",
    ]
    for width in (*WIDTHS, None):
        row = []
        for name in names:
            values = [_rho(each, name, width) for each in (cells, *drawn)]
            low, high = np.nanpercentile(values[1:], (2.5, 97.5))
            row.append(f"{values[0]:+.2f} ({low:+.2f} to {high:+.2f})")
        lines.append(f"| {width or 'all'} | {' | '.join(row)} |")
    widths = [_rho(each, "width", None) for each in (cells, *drawn)]
    low, high = np.percentile(widths[1:], (2.5, 97.5))
    return [*lines, "", f"The width alone, over all cells: {widths[0]:+.2f} ({low:+.2f} to {high:+.2f})."]


def _rho(cells: Sequence[dict[str, float]], name: str, width: int | None) -> float:
    members = [cell for cell in cells if width is None or cell["width"] == width]
    return float(spearmanr([cell[name] for cell in members], [cell["test_accuracy"] for cell in members]).statistic)


def _draws(rows: Sequence[Row]) -> list[list[dict[str, float]]]:
    rng = np.random.default_rng(0)
    ordered = sorted(rows, key=lambda row: (row["width"], row["batch"]))
    return [[cell_row(row, rng.integers(COPIES, size=COPIES).tolist()) for row in ordered] for _ in range(_DRAWS)]


def main() -> None:
    """Train what is missing, and write the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.zoo.grid")
    parser.add_argument("--out", type=Path, default=Path("checkpoints/zoo/grid"), help="where rows are kept")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    table = Table(out / "rows.jsonl")
    table.repair()
    cells = [Cell(width, batch) for batch in BATCHES for width in WIDTHS]
    known = table.models()
    for cell in cells:
        if cell.name not in known:
            table.append(measured(cell))
            print(cell.name, flush=True)
    names = {cell.name for cell in cells}
    collect([row for row in table.rows() if row["model"] in names])


if __name__ == "__main__":
    main()

"""PACGen, sharpness, norms and shape metrics against quality and gap, over networks of the zoo.

The MLPs of the zoo on digits that were trained to the end (benchmarks/zoo/), on 200 of their training examples:
pooled over all, inside a family at one width, and given training loss, with training loss and ‖w‖ in the same table.

Run `python -m benchmarks.landscape.zoo_measures --zoo FOLDER`, where `make zoo` kept its weights; it keeps what it
measured in FOLDER/landscape.jsonl and goes on where it stopped. zoo_measures.md is the table of the last run. Twenty
minutes on one core.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn.functional import cross_entropy

from benchmarks.landscape.intervals import correlation, correlation_given, correlation_within
from benchmarks.landscape.measured import LANDSCAPE, measured
from benchmarks.zoo.families import families
from benchmarks.zoo.table import Table
from benchmarks.zoo.tasks import load_task
from benchmarks.zoo.train import training_examples
from wqscore.landscape.task import Task

FAMILIES = ("mlp2-digits", "mlp4-digits", "mlp4-digits-sgd", "mlp6-digits")
EXAMPLES = 200
#: Metrics of wqscore beside the landscape's, as the zoo's table has them.
SHAPE = ("alpha_median", "stable_rank_median", "D_median", "entropy_median")
SIZE = ("train_loss", "norm", "log_spectral_norm_median", "log_norm_median")
MEASURES = (*SIZE, *LANDSCAPE, *SHAPE)
OUTCOMES = ("test_loss", "gap")
_TABLE = Path(__file__).parents[1] / "zoo" / "zoo.csv"


def network(path: Path, depth: int) -> nn.Sequential:
    """An MLP of the zoo as a sequence of layers, in float64."""
    weights = load_file(path)
    layers: list[nn.Module] = []
    for name in (*(f"layers.{place}" for place in range(depth)), "head"):
        weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
        linear = nn.Linear(weight.shape[1], weight.shape[0])
        linear.load_state_dict({"weight": weight, "bias": bias})
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1]).double()


def rows(zoo: Path) -> list[dict[str, object]]:
    """A row a network: the zoo's, and what was measured."""
    with _TABLE.open(encoding="utf-8") as file:
        known = [row for row in csv.DictReader(file) if row["family"] in FAMILIES and row["kind"] == "recipe"]
    named = {family.name: family for family in families()}
    kept = Table(zoo / "landscape.jsonl")
    kept.repair()
    for row in known:
        if row["model"] in kept.models():
            continue
        family = named[row["family"]]
        drawn = training_examples(
            load_task("digits", "mlp", zoo / "wheels"),
            float(row["share"]),
            float(row["label_noise"]),
            int(row["seed"]),
        )
        inputs, labels = drawn.inputs[:EXAMPLES].double(), drawn.labels[:EXAMPLES]
        model = network(zoo / "weights" / f"{row['model']}.safetensors", family.depth)
        task = Task(model, [(inputs, labels)], cross_entropy)
        numbers = {name: float(row[name] or "nan") for name in (*SHAPE, *SIZE[2:], *OUTCOMES)}
        group = {"model": row["model"], "group": f"{row['family']} {row['width']}"}
        kept.append(group | measured(task) | numbers)
    return list(kept.rows())


def table(found: list[dict[str, object]]) -> str:
    """Spearman with test loss and with the gap: pooled, of what differs inside groups, and given training loss."""
    groups = np.array([row["group"] for row in found])
    columns = {name: np.array([row[name] for row in found], dtype=float) for name in (*MEASURES, *OUTCOMES)}
    heads = [
        f"{name.replace('_', ' ')}, {how}" for name in OUTCOMES for how in ("pooled", "inside", "given train loss")
    ]
    lines = [
        f"{len(found)} networks in {len({*groups})} groups; Spearman's rho, 95 % in parentheses.",
        "",
        f"| measure | {' | '.join(heads)} |",
        f"| --- |{' --- |' * len(heads)}",
    ]
    for name in MEASURES:
        values, cells = columns[name], []
        for outcome in OUTCOMES:
            wanted = columns[outcome]
            cells.append(_words(correlation(values, wanted, spearman=True)))
            cells.append(_words(correlation_within(values, wanted, groups)))
            is_given = name == "train_loss"
            cells.append("–" if is_given else _words(correlation_given(values, wanted, columns["train_loss"])))
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _words(found: tuple[float, float, float]) -> str:
    return "{:+.2f} ({:+.2f} to {:+.2f})".format(*found)


if __name__ == "__main__":
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--zoo", type=Path, required=True, help="folder of `make zoo`, with weights/ and wheels/")
    print(table(rows(parser.parse_args().zoo)))

"""TempBalance and AlphaDecay against a plain and a tuned schedule: 20 fresh seeds, paired, with intervals.

Usage: python -m benchmarks.zoo.by_layer [--out DIR]

Rates and decays are chosen on validation data with three seeds of their own. Killed, it goes on where it was. Writes
`by_layer.md` here.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
from scipy.stats import t as student
from torch.nn.functional import cross_entropy

from benchmarks.machine import machine_line
from benchmarks.zoo.digits_mlp import EXAMPLES, LABEL_NOISE, data, error, mlp
from benchmarks.zoo.table import Table
from benchmarks.zoo.train import learning_rate_factor
from wqscore.landscape import AlphaDecay, TempBalance, parameter_groups

HERE = Path(__file__).parent
WIDTHS = (64, 128, 128, 128, 10)
STEPS, BATCH, EVERY = 400, 32, 20
SEEDS, TUNING = range(20), range(100, 103)
RATES, DECAYS = (0.003, 0.01, 0.03, 0.1), (0.0, 0.03, 0.3, 1.0)
#: The rate of "plain": what one takes without trying.
_PLAIN, _ADAM = 0.01, 0.003


@dataclass(frozen=True)
class Arm:
    """A way to train: the rule by layer, the schedule, its rate and decay."""

    rule: str
    schedule: str
    lr: float
    decay: float = 0.0

    @property
    def name(self) -> str:
        """What its rows begin with."""
        return f"{self.rule}/{self.schedule}/lr{self.lr:g}/wd{self.decay:g}"


def errors(arm: Arm, seed: int) -> dict[str, float]:
    """Train one network; its errors in percent, its training loss and its seconds."""
    found = data()
    network = mlp(*WIDTHS, seed=seed)
    is_adam = arm.rule in ("adamw", "alphadecay")
    groups = parameter_groups(network)
    if is_adam:
        optimiser: torch.optim.Optimizer = torch.optim.AdamW(groups, lr=arm.lr, weight_decay=arm.decay)
        optimiser.param_groups[-1]["weight_decay"] = 0.0
    else:
        optimiser = torch.optim.SGD(groups, lr=arm.lr, momentum=0.9)
    balance = TempBalance(optimiser, every=EVERY) if arm.rule == "tempbalance" else None
    decay = AlphaDecay(optimiser, every=EVERY) if arm.rule == "alphadecay" else None
    generator = torch.Generator().manual_seed(seed)
    start = perf_counter()
    for step in range(STEPS):
        lr = arm.lr * (learning_rate_factor(step, STEPS) if arm.schedule == "cosine" else 1.0)
        for group in optimiser.param_groups:
            group["lr"] = lr
        if balance is not None:
            balance.step(lr)
        if decay is not None:
            decay.step(arm.decay)
        batch = torch.randint(EXAMPLES, (BATCH,), generator=generator)
        optimiser.zero_grad()
        cross_entropy(network(found.train.inputs[batch]), found.train.labels[batch]).backward()
        optimiser.step()
    seconds = perf_counter() - start
    network.eval()
    with torch.no_grad():
        loss = float(cross_entropy(network(found.train.inputs), found.train.labels))
    return {
        "validation": error(network, found.validation),
        "test": error(network, found.test),
        "loss": loss if np.isfinite(loss) else float("inf"),
        "seconds": seconds,
    }


class Bench:
    """Rows by arm and seed, made when they are asked for."""

    def __init__(self, table: Table) -> None:
        self.table = table
        table.repair()
        self.rows = {str(row["model"]): row for row in table.rows()}

    def column(self, arm: Arm, seeds: Sequence[int], name: str) -> np.ndarray:
        """A number of an arm over seeds."""
        found = []
        for seed in seeds:
            key = f"{arm.name}/s{seed}"
            if key not in self.rows:
                row: dict[str, object] = {"model": key, **errors(arm, seed)}
                self.table.append(row)
                self.rows[key] = row
                print(key, row["test"], flush=True)
            found.append(float(str(self.rows[key][name])))
        return np.array(found)

    def tuned(self, arms: Sequence[Arm]) -> Arm:
        """The arm with the least error on validation data, over the seeds for tuning."""
        return min(arms, key=lambda arm: float(self.column(arm, TUNING, "validation").mean()))


def page(bench: Bench) -> list[str]:
    """The tables."""
    plain = Arm("sgd", "constant", _PLAIN)
    tuned = bench.tuned([Arm("sgd", schedule, lr) for schedule in ("constant", "cosine") for lr in RATES])
    balanced = bench.tuned([Arm("tempbalance", schedule, lr) for schedule in ("constant", "cosine") for lr in RATES])
    adam = Arm("adamw", "cosine", _ADAM, 0.01)
    adam_tuned = bench.tuned([replace(adam, decay=decay) for decay in DECAYS])
    decayed = bench.tuned([replace(adam, rule="alphadecay", decay=decay) for decay in DECAYS if decay])
    lines = [
        "# TempBalance and AlphaDecay",
        "",
        f"An MLP {'-'.join(map(str, WIDTHS))} on {EXAMPLES} digits with {LABEL_NOISE:.0%} of their labels replaced, "
        f"{STEPS:,} steps of batch {BATCH}, exponents every {EVERY} steps. Rates and decays: the least error on 700 "
        f"validation digits over {len(TUNING)} seeds of their own. Test error in percent on 597 digits over "
        f"{len(SEEDS)} other seeds; differences are paired, with 95 % intervals by Student's t. Of the four "
        f"matrices only "
        "the middle two have a rate or decay of their own: the first and the last are left out, as published. "
        "Written by "
        "`python -m benchmarks.zoo.by_layer`.",
        "",
        machine_line(["wqscore", "torch"]),
        "",
        "| way to train | test error | less that of plain | less that of tuned | train loss | seconds |",
        "|---|--:|---|---|--:|--:|",
    ]
    sgd = (plain, replace(plain, rule="tempbalance"), tuned, replace(tuned, rule="tempbalance"), balanced)
    adams = (adam, replace(adam, rule="alphadecay"), adam_tuned, replace(adam_tuned, rule="alphadecay"), decayed)
    for arms, first, best in ((sgd, plain, tuned), (adams, adam, adam_tuned)):
        for arm in dict.fromkeys(arms):
            test = bench.column(arm, SEEDS, "test")
            against = [
                _difference(test - bench.column(other, SEEDS, "test"), arm == other) for other in (first, best)
            ]
            loss, seconds = (bench.column(arm, SEEDS, name).mean() for name in ("loss", "seconds"))
            lines.append(
                f"| {_said(arm, first, best)} | {test.mean():.2f} | {against[0]} | {against[1]} | {loss:.3f} "
                f"| {seconds:.1f} |"
            )
    return lines


def _said(arm: Arm, plain: Arm, tuned: Arm) -> str:
    rule = {"sgd": "SGD", "tempbalance": "SGD, TempBalance", "adamw": "AdamW", "alphadecay": "AdamW, AlphaDecay"}[
        arm.rule
    ]
    of = [word for word, other in (("plain", plain), ("tuned", tuned)) if replace(arm, rule=other.rule) == other]
    decay = f", decay {arm.decay:g}" if "adamw" in (plain.rule, tuned.rule) else ""
    return f"{rule}, {arm.schedule}, rate {arm.lr:g}{decay}{f' ({of[0]})' if of else ' (tuned by itself)'}"


def _difference(values: np.ndarray, same: bool) -> str:
    if same:
        return "–"
    margin = student.ppf(0.975, values.size - 1) * values.std(ddof=1) / values.size**0.5
    return f"{values.mean():+.2f} ({values.mean() - margin:+.2f} to {values.mean() + margin:+.2f})"


def main() -> None:
    """Train what is missing, and write the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.zoo.by_layer")
    parser.add_argument("--out", type=Path, default=Path("checkpoints/zoo/by_layer"), help="where rows are kept")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    lines = page(Bench(Table(out / "rows.jsonl")))
    (HERE / "by_layer.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""What a `WeightLog` costs a training at N = 10 and 100: the share of the step time.

Usage: python -m benchmarks.weight_log

Trains an MLP on one thread, in turns without a log and with one, and writes `weight_log.md` here.
"""

from __future__ import annotations

from pathlib import Path
from statistics import median
from time import perf_counter

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from benchmarks.machine import machine_line
from wqscore.landscape import WeightLog

HERE = Path(__file__).parent
WIDTHS = (256, 1024, 1024, 1024, 10)
STEPS, BATCH, ROUNDS = 400, 128, 3
EVERY = (None, 10, 100)


def measured(every: int | None) -> dict[str, float]:
    """Train once; seconds of a step, the share spent in the log, and its rows."""
    torch.manual_seed(0)
    layers = [nn.Linear(one, other) for one, other in zip(WIDTHS, WIDTHS[1:], strict=False)]  # noqa: RUF007
    model = nn.Sequential(*[part for layer in layers for part in (layer, nn.ReLU())][:-1])
    optimiser = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    inputs, targets = torch.randn(BATCH, WIDTHS[0]), torch.randint(WIDTHS[-1], (BATCH,))
    log = None if every is None else WeightLog(model, every=every)
    start = perf_counter()
    for step in range(1, STEPS + 1):
        optimiser.zero_grad()
        cross_entropy(model(inputs), targets).backward()
        optimiser.step()
        if log is not None:
            log.step(step)
    seconds = (perf_counter() - start) / STEPS
    if log is None:
        return {"step": seconds, "share": 0.0, "rows": 0, "skipped": 0}
    share = log.overhead
    log.close()
    return {"step": seconds, "share": share, "rows": len(log.rows), "skipped": log.skipped}


def main() -> None:
    """Measure in turns, and write the table."""
    torch.set_num_threads(1)
    rounds = [{every: measured(every) for every in EVERY} for _ in range(ROUNDS)]
    lines = [
        "# What a WeightLog costs",
        "",
        f"An MLP {'-'.join(map(str, WIDTHS))}, batch {BATCH}, {STEPS} steps of SGD on one thread; {ROUNDS} rounds in "
        "turns, medians. *in the log*: the share of the training's time that its thread spends in `step`, for the "
        "copy "
        "of the weights and the start of the scoring process. *slower*: the whole step against that without a log of "
        "the same round, which on a busy machine says more of the machine. Written by `python -m "
        "benchmarks.weight_log`.",
        "",
        machine_line(["wqscore", "torch"]),
        "",
        "| every | ms a step | in the log | slower, each round | rows | skipped |",
        "|--:|--:|--:|---|--:|--:|",
    ]
    for every in EVERY:
        found = {name: median(each[every][name] for each in rounds) for name in rounds[0][every]}
        slower = ", ".join(f"{100 * (each[every]['step'] / each[None]['step'] - 1):+.1f} %" for each in rounds)
        lines.append(
            f"| {every or 'no log'} | {1e3 * found['step']:.2f} | {100 * found['share']:.2f} % | "
            f"{slower if every else '–'} | {found['rows']:g} | {found['skipped']:g} |"
        )
    (HERE / "weight_log.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

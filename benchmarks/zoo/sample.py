"""Train ten of the networks afresh and look for their rows in the committed table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import isnan
from pathlib import Path
from time import perf_counter

import torch

from benchmarks.zoo.collect import layout
from benchmarks.zoo.plan import Run, plan
from benchmarks.zoo.table import read_csv
from benchmarks.zoo.tasks import load_task
from benchmarks.zoo.work import Folders, rows_of

SAMPLED = (
    *("mlp2-digits/w256-r00-s0", "mlp4-mnist/w192-r01-s0", "mlp6-cut/w128-r02-s0", "mlp2-text/w256-r03-s0"),
    *("mlp4-digits-sgd/w192-r00-s0", "cnn2-digits/w96-r01-s0", "cnn4-mnist/w80-r00-s0"),
    *("transformer2-digits/w128-r02-s0", "transformer4-clarity/w96-r00-s0", "transformer2-text/w128-r00-s0"),
)

#: How far a value may be from the table's; a loss by so many nats and by that share of it. On one machine all digits
#: agree. With other instructions (SSE 4 in place of AVX 2) accuracies moved by up to 0.008, losses by 0.061 at 2.17,
#: and of the metrics alpha the most, by up to 7 %.
ACCURACY, NATS, SHARE_OF_LOSS = 0.03, 0.05, 0.05
RELATIVE = {
    "log_norm_median": 0.02,
    "log_spectral_norm_median": 0.05,
    "stable_rank_median": 0.10,
    "entropy_median": 0.02,
    "alpha_hill_median": 0.05,
    "alpha_median": 0.15,
}
#: What the digits of the table allow.
_ROUNDING = 1e-3


def sample(wheels: Path, home: Path) -> int:
    """Print a line a network; return 1 if one is out of tolerance or has no row."""
    torch.set_num_threads(1)
    known = read_csv(home / "zoo.csv")
    digests = json.loads((home / "data.json").read_text(encoding="utf-8"))
    runs = {run.name: run for run in plan()}
    misses, start = 0, perf_counter()
    for name in SAMPLED:
        run = runs[name]
        task = load_task(run.family.task, run.family.architecture, wheels)
        if task.digest() != digests[layout(run.family)]:
            print(f"{name:>34}  not compared: this Python comes with another text than the table's", flush=True)
            continue
        if name not in known:
            print(f"{name:>34}  has no row in the table", flush=True)
            misses += 1
            continue
        fresh = trained(run, wheels)
        found = list(out_of_tolerance(fresh, known[name]))
        misses += bool(found)
        verdict = "; ".join(found) or ("the same" if is_same(fresh, known[name]) else "within the tolerance")
        print(f"{name:>34}  {verdict}", flush=True)
    print(f"{len(SAMPLED)} networks, {misses} out of tolerance, {perf_counter() - start:.0f} s")
    return int(misses > 0)


def trained(run: Run, wheels: Path) -> dict[str, object]:
    """Train one run and return its last row."""
    alone = replace(run, checkpoints=run.checkpoints[-1:], damages=(), fine_tunes=())
    return next(rows_of(alone, Folders(wheels)))


def out_of_tolerance(fresh: Mapping[str, object], known: Mapping[str, str]) -> Iterator[str]:
    """Yield the values that are too far from the table's."""
    limits = dict.fromkeys(("train_accuracy", "test_accuracy"), ACCURACY)
    limits["test_loss"] = NATS + SHARE_OF_LOSS * _number(known["test_loss"])
    limits |= {column: share * abs(_number(known[column])) for column, share in RELATIVE.items()}
    for column, limit in limits.items():
        now, then = _number(fresh[column]), _number(known[column])
        if isnan(now) != isnan(then) or abs(now - then) > limit:
            yield f"{column} is {now:.4g}, was {then:.4g}"


def is_same(fresh: Mapping[str, object], known: Mapping[str, str]) -> bool:
    """Whether all values that are numbers equal the table's, up to its digits."""
    pairs = [(_number(value), _number(known[column])) for column, value in fresh.items() if isinstance(value, float)]
    return all(isnan(a) == isnan(b) and (isnan(a) or abs(a - b) <= _ROUNDING * abs(b)) for a, b in pairs)


def _number(value: object) -> float:
    """A value of a row or of the table, whose empty cells are NaN."""
    return float(value) if isinstance(value, int | float) else float(str(value) or "nan")

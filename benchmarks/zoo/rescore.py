"""Score the kept weights again with the wqscore installed now; what was learned stays as it was measured."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from safetensors.numpy import load_file

from benchmarks.zoo.damage import Weights, damaged
from benchmarks.zoo.plan import Run, plan, random_seed
from benchmarks.zoo.score import score_weights
from benchmarks.zoo.table import Table

#: The table of rows with new scores, beside `rows.jsonl`.
RESCORED = "rescored.jsonl"

Row = dict[str, object]


def rescore_all(out: Path, wheels: Path, workers: int) -> None:
    """Append to `out/rescored.jsonl` every row that it lacks; killed, it goes on where it was."""
    table = Table(out / RESCORED)
    table.repair()
    known = table.models()
    runs = {run.name: run for run in plan()}
    missing = [row for row in Table(out / "rows.jsonl").rows() if row["model"] not in known and row["run"] in runs]
    missing.sort(key=lambda row: str(row["run"]))
    work = [
        (runs[name], list(rows), out / "weights", wheels)
        for name, rows in groupby(missing, lambda row: str(row["run"]))
    ]
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        for number, rows in enumerate(pool.imap_unordered(_rescored_of_run, work), 1):
            for row in rows:
                table.append(row)
            print(f"{number}/{len(work)} {rows[0]['run']}: {len(rows)} rows", flush=True)


def rescored(run: Run, rows: Iterable[Row], weights: Path, wheels: Path) -> Iterator[Row]:
    """Yield rows of one run with new scores; networks that share their weights are scored once."""
    scores: dict[str, dict[str, float | int]] = {}
    for row in rows:
        name = str(row["weights"] or row["model"])
        if name not in scores:
            scores[name] = score_weights(_weights_of(run, row, name, weights, wheels))
        yield {**row, **scores[name]}


def _rescored_of_run(work: tuple[Run, list[Row], Path, Path]) -> list[Row]:
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(1)
    with threadpool_limits(1):
        return list(rescored(*work))


def _weights_of(run: Run, row: Row, name: str, folder: Path, wheels: Path) -> Weights:
    """The kept weights of a network, or those of its parent with the same damage done again."""
    if not row["damage"]:
        return load_file(folder / f"{name}.safetensors")
    return damaged(
        load_file(folder / f"{run.name}.safetensors"), str(row["damage"]), _fresh(run, wheels), random_seed(name)
    )


def _fresh(run: Run, wheels: Path) -> Weights:
    """The network newly initialised, as `work` does before it trains."""
    from benchmarks.zoo.networks import build, weights_of
    from benchmarks.zoo.tasks import load_task

    task = load_task(run.family.task, run.family.architecture, wheels)
    return weights_of(build(run.family, run.width, run.recipe.dropout, task, random_seed(run.name) + 1))

"""Train every run that is not done yet, in several processes; the plan's order, so that a part is balanced."""

from __future__ import annotations

import ctypes
import fcntl
import multiprocessing
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from benchmarks.zoo.plan import Run
from benchmarks.zoo.table import Table

if TYPE_CHECKING:
    from multiprocessing.sharedctypes import Synchronized

_PR_SET_PDEATHSIG = 1


def train_all(runs: Sequence[Run], out: Path, wheels: Path, workers: int) -> int:
    """Append the rows that are missing.

    The lock on `out/lock` is inherited by the workers, who die with this process: a second call finds either all of
    it running, and stops, or nothing.

    Returns:
        How many runs failed; the reason is printed.
    """
    out.mkdir(parents=True, exist_ok=True)
    with (out / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit(f"{out} is in use: the zoo is being trained there already")
        (out / "pid").write_text(f"{os.getpid()}\n", encoding="utf-8")
        table = Table(out / "rows.jsonl")
        table.repair()
        known = table.models()
        open_runs = [run for run in runs if not known.issuperset(run.models())]
        print(f"{len(runs)} runs, {len(open_runs)} of them open; {len(known)} rows known", flush=True)
        # Forked before torch is imported: its threads don't survive a fork.
        context = multiprocessing.get_context("fork")
        turn, failed = context.Value("i", 0), context.Value("i", 0)
        processes = [
            context.Process(target=_work, args=(open_runs, known, table, out, wheels, turn, failed, os.getpid()))
            for _ in range(workers)
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
    return int(failed.value) + sum(process.exitcode != 0 for process in processes)


def _work(
    runs: Sequence[Run],
    known: set[str],
    table: Table,
    out: Path,
    wheels: Path,
    turn: Synchronized[int],
    failed: Synchronized[int],
    parent: int,
) -> None:
    """Take the next run until there is none."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return
    import torch
    from threadpoolctl import threadpool_limits

    from benchmarks.zoo.work import Folders, rows_of

    torch.set_num_threads(1)
    folders = Folders(wheels, out / "weights")
    with threadpool_limits(1):
        while True:
            with turn.get_lock():
                number = turn.value
                turn.value += 1
            if number >= len(runs):
                return
            start, rows = perf_counter(), 0
            try:
                for row in rows_of(runs[number], folders, known.__contains__):
                    table.append(row)
                    rows += 1
            except Exception:
                with failed.get_lock():
                    failed.value += 1
                traceback.print_exc()
            seconds = perf_counter() - start
            print(f"{number + 1}/{len(runs)} {runs[number].name}: {rows} rows, {seconds:.1f} s", flush=True)

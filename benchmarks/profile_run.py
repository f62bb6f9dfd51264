"""Where the time of `wqscore rank` on all-MiniLM-L6-v2 goes, from Python's start to the written report.

First the whole command as a process, on all cores and on one thread. Then the same in this process, on one thread:
the imports, and the run itself twice, with a clock around the functions that do the work. The clock is each thread's
processor time; a clocked function inside another counts towards the outer one. The second run gives the table; the
extra time of the first is work done once in a process, above all loading the compiled kernels.
Usage: python -m benchmarks.profile_run
"""

from __future__ import annotations

import tempfile
import threading
from collections import defaultdict
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from statistics import median
from time import process_time, thread_time
from typing import Any

from benchmarks.machine import machine_line
from benchmarks.processes import run, wqscore

RUNS = 3
FOLDER = Path(__file__).parent.parent / "checkpoints" / "all-MiniLM-L6-v2"
IMPORTS = ("numpy", "numba", "wqscore.cli", "wqscore.api.score", "wqscore.reports.folder")
#: The functions of each stage, by the names under which their callers find them.
STAGES = {
    "opening": ("wqscore.api.score:open_or_fall_back",),
    "planning": ("wqscore.scoring.score_checkpoint:plan_matrices",),
    "reading": ("wqscore.scoring.score_tensor:read_contents",),
    "Gram products": ("wqscore.spectra.spectrum:upper_gram",),
    "eigensolves": ("wqscore.spectra.spectrum:gram_eigenvalues",),
    "power law": ("wqscore.metrics.analysis:MatrixAnalysis.power_law",),
    "interval of alpha": ("wqscore.metrics.analysis:resampling_interval",),
    "goodness of fit": ("wqscore.metrics.analysis:p_value",),
    "range of alpha": ("wqscore.metrics.analysis:MatrixAnalysis.alpha_range",),
    "sums over the entries": ("wqscore.metrics.analysis:measure",),
    "damaged lines": ("wqscore.scoring.score_matrix:examine",),
    "shuffles": (
        "wqscore.metrics.analysis:is_random",
        "wqscore.metrics.analysis:is_random_scaled",
        "wqscore.metrics.analysis:has_traps",
    ),
    "store": (
        "wqscore.scoring.score_checkpoint:ScoreCache.get",
        "wqscore.scoring.score_checkpoint:ScoreCache.get_by_digest",
        "wqscore.scoring.score_checkpoint:ScoreCache.put",
        "wqscore.scoring.score_checkpoint:ScoreCache.close",
    ),
    "summary, ranking": ("wqscore.scoring.score_checkpoint:summarise", "wqscore.api.score:rank_models"),
    "report": ("wqscore.reports.folder:write_report",),
}


class Clock:
    """Seconds of each stage, of all threads together."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._inside = threading.local()
        self._lock = threading.Lock()

    def around(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function with this clock around it."""

        def timed(*arguments: object, **named: object) -> object:
            if getattr(self._inside, "stage", None):
                return function(*arguments, **named)
            self._inside.stage, start = stage, thread_time()
            try:
                return function(*arguments, **named)
            finally:
                spent, self._inside.stage = thread_time() - start, None
                with self._lock:
                    self.seconds[stage] += spent

        return timed

    def attach(self) -> None:
        """Put the clock around every function of the stages, for the rest of the process."""
        for stage, functions in STAGES.items():
            for function in functions:
                module, _, path = function.partition(":")
                owner: Any = import_module(module)
                *parents, name = path.split(".")
                for parent in parents:
                    owner = getattr(owner, parent)
                found = vars(owner)[name]
                if hasattr(found, "func"):  # a cached property
                    found.func = self.around(stage, found.func)
                else:
                    setattr(owner, name, self.around(stage, found))

    def take(self) -> dict[str, float]:
        """Return the seconds measured so far, and reset the clock."""
        taken, self.seconds = dict(self.seconds), defaultdict(float)
        return taken


def imports() -> dict[str, float]:
    """Processor seconds of each import, in order, without modules that earlier ones imported."""
    taken = {}
    for module in IMPORTS:
        start = process_time()
        import_module(module)
        taken[f"import {module}"] = process_time() - start
    return taken


def rank_once(folder: Path) -> float:
    """Processor seconds of a run as by the command line, on one thread and with a new store."""
    from wqscore import rank
    from wqscore.reports import folder as report

    start = process_time()
    report.write_report(rank([str(FOLDER)], jobs=1, store=folder / "store.sqlite"), folder / "report")
    return process_time() - start


def print_processes(folder: Path) -> None:
    """Print the time of whole processes."""
    for name, options in {"all cores": (), "one thread": ("--jobs", "1")}.items():
        usages = []
        for i in range(RUNS):
            each = folder / f"{name} {i}"
            each.mkdir()
            options_of_run = ("--store", str(each / "store.sqlite"), "--out", str(each / "report"), *options)
            usages.append(run(wqscore("rank", str(FOLDER), "--quiet", *options_of_run)))
        wall, cpu = median(usage.wall for usage in usages), median(usage.cpu for usage in usages)
        print(f"wqscore rank, a process, {name}: {wall:.2f} s, {cpu:.2f} s of processor time, median of {RUNS}")


def main() -> None:
    """Print the tables."""
    start = process_time()
    imported = imports()
    clock = Clock()
    clock.attach()
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name, each) for each in ("first", "second")]
        for folder in folders:
            folder.mkdir()
        first, _ = rank_once(folders[0]), clock.take()
        second, stages = rank_once(folders[1]), clock.take()
        print(machine_line(["wqscore", "numpy", "numba"]))
        print_processes(Path(name))
    parts = {"Python's start": start, **imported, "done once in a process": first - second}
    parts |= {stage: stages.get(stage, 0.0) for stage in STAGES}
    parts["all else"] = second - sum(stages.values())
    whole = sum(parts.values())
    print(f"{'processor time, one thread':>34} {'seconds':>8} {'share':>6}")
    for part, spent in parts.items():
        print(f"{part:>34} {spent:>8.3f} {spent / whole:>6.1%}")
    print(f"{'together':>34} {whole:>8.3f}")


if __name__ == "__main__":
    main()

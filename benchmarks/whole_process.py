"""A whole process from a folder to a table: `wqscore score FOLDER --format csv` beside a WeightWatcher script.

The two run in turn, A B A B …, after one warm run of each; wall and processor seconds and peak resident memory
are the operating system's own account of each finished process. Usage: python -m benchmarks.whole_process
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

from benchmarks.machine import machine_line

RUNS = 5
HERE = Path(__file__).parent
FOLDER = HERE.parent / "checkpoints" / "all-MiniLM-L6-v2"


@dataclass(frozen=True)
class Usage:
    """What one finished process took: seconds and megabytes."""

    wall: float
    cpu: float
    peak_mb: float


def run(command: list[str]) -> Usage:
    """Run a command to its end, its output thrown away."""
    start = perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command} ended with {process.returncode}")
    return Usage(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1e3)


def main() -> None:
    """Print the table."""
    ours = [str(Path(sys.executable).with_name("wqscore")), "score", str(FOLDER), "--format", "csv", "--quiet"]
    ours.append("--no-store")
    theirs = [sys.executable, str(HERE / "weightwatcher_script.py"), str(FOLDER)]
    run(ours), run(theirs)
    pairs = [(run(ours), run(theirs)) for _ in range(RUNS)]
    print(machine_line(["wqscore", "numpy", "numba", "weightwatcher", "torch"]))
    print(f"{'median of ' + str(RUNS):>14} {'wqscore':>9} {'WeightWatcher':>14} {'ratio':>6} {'ratios':>16}")
    for name in ("wall", "cpu", "peak_mb"):
        a, b = ([getattr(usage, name) for usage in side] for side in zip(*pairs, strict=True))
        ratios = sorted(y / x for x, y in zip(a, b, strict=True))
        spread = f"{ratios[0]:.2f} … {ratios[-1]:.2f}"
        print(f"{name:>14} {median(a):>9.2f} {median(b):>14.2f} {median(ratios):>6.2f} {spread:>16}")


if __name__ == "__main__":
    main()

"""A whole process from a folder to a table: `wqscore score FOLDER --no-store` and a WeightWatcher script.

The two alternate after one warm-up run of each; the operating system reports wall and processor seconds and peak
resident memory of each finished process. Usage: python -m benchmarks.whole_process
"""

from __future__ import annotations

from pathlib import Path
from statistics import median

from benchmarks.machine import machine_line
from benchmarks.processes import run, score, weightwatcher

RUNS = 5
FOLDER = Path(__file__).parent.parent / "checkpoints" / "all-MiniLM-L6-v2"


def main() -> None:
    """Print the table."""
    ours, theirs = score(FOLDER), weightwatcher(FOLDER)
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

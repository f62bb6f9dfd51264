"""Start-up time: `wqscore --help`, quick commands and the import, and which imports are slow.

Alternating whole processes, with a Python that does nothing, and another version where its source tree is named.
Usage: python -m benchmarks.startup [TREE]
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from statistics import median

from benchmarks.machine import machine_line
from benchmarks.processes import Usage, run

RUNS = 15
SLOWEST = 12
ROOT = Path(__file__).parent.parent
MODEL = str(ROOT / "checkpoints" / "all-MiniLM-L6-v2")
PROGRAM = "import sys; sys.argv[0] = 'wqscore'; from wqscore.cli import app; app()"
#: Programs with their arguments, and how many seconds each may take on a machine that does nothing else.
COMMANDS: dict[str, tuple[list[str], float | None]] = {
    "python -c pass": (["pass"], None),
    "wqscore --version": ([PROGRAM, "--version"], 0.25),
    "wqscore --help": ([PROGRAM, "--help"], 0.25),
    "wqscore score --help": ([PROGRAM, "score", "--help"], None),
    "wqscore metrics": ([PROGRAM, "metrics"], 0.4),
    "wqscore describe FOLDER": ([PROGRAM, "describe", MODEL], 0.6),
    "import wqscore": (["import wqscore"], None),
    "from wqscore import score": (["from wqscore import score"], None),
}


def measure(trees: list[Path]) -> dict[tuple[str, Path], list[Usage]]:
    """What each command took with each source tree, in turn, after a run that warms the files up."""
    taken: dict[tuple[str, Path], list[Usage]] = {(name, tree): [] for name in COMMANDS for tree in trees}
    for _ in range(RUNS + 1):
        for (name, tree), usages in taken.items():
            usages.append(run(["env", f"PYTHONPATH={tree}", sys.executable, "-P", "-c", *COMMANDS[name][0]]))
    return {key: usages[1:] for key, usages in taken.items()}


def slowest_imports(statement: str) -> list[tuple[float, float, str]]:
    """The modules that take longest by themselves: milliseconds alone, with what they import, and the name."""
    command = [sys.executable, "-X", "importtime", "-c", statement]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stderr.splitlines()
    found = []
    for line in lines:
        alone, whole, module = line.removeprefix("import time:").split("|")
        if alone.strip().isdigit():
            found.append((int(alone) / 1e3, int(whole) / 1e3, module.strip()))
    return sorted(found, reverse=True)[:SLOWEST]


def main() -> None:
    """Print the tables."""
    trees = [ROOT, *map(Path, sys.argv[1:])]
    print(machine_line(["wqscore", "typer", "numpy", "numba"]))
    print(f"{'median of ' + str(RUNS):>26} {'seconds':>8} {'shortest':>8} {'of CPU':>8}  source tree")
    for (name, tree), usages in measure(trees).items():
        walls, target = [usage.wall for usage in usages], COMMANDS[name][1]
        missed = " misses" if target and tree == ROOT and median(walls) > target else ""
        cpu = median(usage.cpu for usage in usages)
        print(f"{name:>26} {median(walls):>8.3f} {min(walls):>8.3f} {cpu:>8.3f}  {tree.name}{missed}")
    for statement in ("import wqscore.cli", "from wqscore import score"):
        print(f"slowest modules of `{statement}`, ms alone and with what they import")
        for alone, whole, module in slowest_imports(statement):
            print(f"{module:>45} {alone:>8.1f} {whole:>8.1f}")


if __name__ == "__main__":
    main()

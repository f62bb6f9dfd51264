"""Start-up time: `wqscore --help`, a command's help and the import, and which imports are slow.

Alternating whole processes, with a Python that does nothing for comparison. Target: `wqscore --help` in under 0.5 s.
Usage: python -m benchmarks.startup
"""

from __future__ import annotations

import subprocess
import sys
from statistics import median

from benchmarks.machine import machine_line
from benchmarks.processes import run, wqscore

RUNS = 10
TARGET = 0.5
SLOWEST = 12
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "wqscore --help": wqscore("--help"),
    "wqscore score --help": wqscore("score", "--help"),
    "import wqscore": [sys.executable, "-c", "import wqscore"],
    "from wqscore import score": [sys.executable, "-c", "from wqscore import score"],
}


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
    for command in COMMANDS.values():
        run(command)
    rounds = [{name: run(command).wall for name, command in COMMANDS.items()} for _ in range(RUNS)]
    print(machine_line(["wqscore", "typer", "numpy", "numba"]))
    print(f"{'median of ' + str(RUNS):>26} {'seconds':>8} {'longest':>8}")
    for name in COMMANDS:
        seconds = [each[name] for each in rounds]
        missed = " misses" if name == "wqscore --help" and median(seconds) >= TARGET else ""
        print(f"{name:>26} {median(seconds):>8.3f} {max(seconds):>8.3f}{missed}")
    for statement in ("import wqscore.cli", "from wqscore import score"):
        print(f"slowest modules of `{statement}`, ms alone and with what they import")
        for alone, whole, module in slowest_imports(statement):
            print(f"{module:>45} {alone:>8.1f} {whole:>8.1f}")


if __name__ == "__main__":
    main()

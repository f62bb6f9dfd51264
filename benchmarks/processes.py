"""Time and memory of a finished process, as the operating system reports them; and the two tools' commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

_SCRIPT = Path(__file__).with_name("weightwatcher_script.py")


@dataclass(frozen=True)
class Usage:
    """Usage of one finished process: wall and processor seconds, peak megabytes."""

    wall: float
    cpu: float
    peak_mb: float


def run(command: list[str]) -> Usage:
    """Run a command to its end and discard its output.

    A small process in between starts it, since Linux counts the memory of the parent towards the child's peak.
    """
    watch = [sys.executable, "-m", "benchmarks.processes", *command]
    watched = subprocess.run(watch, cwd=Path(__file__).parent.parent, stdout=subprocess.PIPE, check=False)
    if watched.returncode:
        raise SystemExit(f"{command} ended with {watched.returncode}")
    return Usage(**json.loads(watched.stdout))


def main() -> None:
    """Run the given command, print its usage as JSON, and exit with its exit code."""
    start = perf_counter()
    process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = perf_counter() - start
    print(json.dumps(asdict(Usage(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1e3))))
    process.returncode = os.waitstatus_to_exitcode(status)
    sys.exit(process.returncode)


def wqscore(*arguments: str) -> list[str]:
    """A command line of the `wqscore` in this Python's environment."""
    return [str(Path(sys.executable).with_name("wqscore")), *arguments]


def score(folder: Path, *options: str) -> list[str]:
    """The command that scores a folder without a store and prints a table."""
    return wqscore("score", str(folder), "--no-store", "--format", "csv", "--quiet", *options)


def weightwatcher(folder: Path) -> list[str]:
    """The command that prints WeightWatcher's table of a folder."""
    return [sys.executable, str(_SCRIPT), str(folder)]


if __name__ == "__main__":
    main()

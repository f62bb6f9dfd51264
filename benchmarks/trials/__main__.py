"""Print the tables of all trials as Markdown; `results.md` holds the last ones.

Usage: python -m benchmarks.trials [--moments N] [kills|limits|disks ...]
"""

from __future__ import annotations

import argparse
import platform
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.machine import machine_line
from benchmarks.trials import full_disks, kills, limits
from benchmarks.trials.commands import commands

#: Of each command with each signal: 63 in all.
MOMENTS = 7


def main() -> None:
    """Print what is asked for, by default all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trials")
    parser.add_argument("--moments", type=int, default=MOMENTS)
    parser.add_argument("parts", nargs="*", help="kills, limits, disks; all if none is named")
    asked = parser.parse_args()
    print("# Runs that are killed, run out of something, or write to a full disk\n")
    print(f"{platform.system()}, {machine_line(['wqscore', 'numpy', 'huggingface_hub'])}")
    for part in asked.parts or ("kills", "limits", "disks"):
        with TemporaryDirectory() as folder:
            place = Path(folder)
            (place / "models").mkdir()
            tried = commands(place / "models")
            if part == "kills":
                _print("Killed at random moments", kills.COLUMNS, kills.rows(tried, place, asked.moments))
            elif part == "limits":
                _print("Limits", limits.COLUMNS, limits.rows(tried[:2], place))
            else:
                _print("A file system of 2 MB", full_disks.COLUMNS, full_disks.rows(tried, place))


def _print(title: str, columns: Iterable[str], rows: Iterable[list[str]]) -> None:
    columns = list(columns)
    print(f"\n## {title}\n\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}", flush=True)
    for row in rows:
        print(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |", flush=True)


if __name__ == "__main__":
    main()

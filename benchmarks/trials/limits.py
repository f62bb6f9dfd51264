"""Ladders of limits: address space, open files, size of files. A limit costs a line and exit 3, or nothing."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

from benchmarks.trials.commands import Command, Done, foreign_line, new_place, run

MB, KB = 2**20, 2**10
#: The option of `ulimit`, the unit of the table, the resource, bytes or files a unit, and the ladder.
LADDERS = (
    ("-v", "MB", resource.RLIMIT_AS, MB, (50, 100, 200, 300, 400, 600, 800, 1000, 1500, 2000, 4000)),
    ("-n", "files", resource.RLIMIT_NOFILE, 1, (4, 8, 12, 16, 24, 32, 64)),
    ("-f", "KB", resource.RLIMIT_FSIZE, KB, (0, 1, 4, 16, 64, 256, 1024)),
)
COLUMNS = ("ulimit", "command", "value", "exit code", "lines", "first line", "foreign")


def rows(commands: list[Command], folder: Path) -> Iterator[list[str]]:
    """A row of the table for each limit and command; limits with the same outcome share one."""
    for option, unit, number, size, ladder in LADDERS:
        for command in commands:
            last: tuple[str, ...] = ()
            values: list[int] = []
            for value in ladder:
                place = new_place(folder, command.name, option, value)
                done = run(command, place, lambda n=number, v=value * size: resource.setrlimit(n, (v, v)))  # type: ignore[misc]
                found = _outcome(done)
                if values and found != last:
                    yield [f"ulimit {option}", command.name, _span(values, unit), *last]
                    values = []
                values, last = [*values, value], found
            yield [f"ulimit {option}", command.name, _span(values, unit), *last]


def _outcome(done: Done) -> tuple[str, ...]:
    count = sum(1 for line in done.errors.splitlines() if line.startswith("wqscore:"))
    return str(done.code if done.code >= 0 else 128 - done.code), str(count), done.line, foreign_line(done.errors)


def _span(values: list[int], unit: str) -> str:
    return f"{values[0]} {unit}" if len(values) == 1 else f"{values[0]} to {values[-1]} {unit}"

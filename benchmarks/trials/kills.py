"""Kill runs at random moments: what they leave, and whether the next run gives what it would have given."""

from __future__ import annotations

import random
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree
from time import perf_counter

from benchmarks.trials.commands import (
    Command,
    Done,
    environment,
    fault_of_store,
    foreign_line,
    leftovers,
    new_place,
    outputs,
    run,
)

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
COLUMNS = (
    *("command", "signal", "moments", "exit codes", "most lines", "left over", "stores damaged"),
    *("next runs that differ", "foreign lines"),
)


def rows(commands: list[Command], folder: Path, moments: int) -> Iterator[list[str]]:
    """A row of the table for each command and signal."""
    # A job in the background ignores interrupts, and so would its children.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    chance = random.Random(moments)
    for command in commands:
        place = new_place(folder, command.name, "undisturbed")
        start = perf_counter()
        fresh = run(command, place)
        duration = perf_counter() - start
        # A leaderboard that is there already gets one more night.
        again = run(command, place)
        for number in SIGNALS:
            shares = [chance.random() for _ in range(moments)]
            yield _row(command, number, folder, shares, duration, (fresh, again))


def _row(
    command: Command,
    number: signal.Signals,
    folder: Path,
    shares: list[float],
    duration: float,
    expected: tuple[Done, Done],
) -> list[str]:
    """The row of the runs that are killed after these shares of the time that a run takes."""
    codes: Counter[int] = Counter()
    left = damaged = differing = foreign = most_lines = 0
    for index, share in enumerate(shares):
        place = new_place(folder, command.name, number.name, index)
        killed, lasted = _killed(command, place, number, share * duration)
        if killed.code == 0:
            # It was over before: another time, by what it took this time.
            duration = lasted
            rmtree(place)
            place.mkdir()
            killed, lasted = _killed(command, place, number, share * duration)
        codes[killed.code if killed.code >= 0 else 128 - killed.code] += 1
        most_lines = max(most_lines, sum(1 for line in killed.errors.splitlines() if line.startswith("wqscore:")))
        if foreign_line(killed.errors):
            foreign += 1
            print(f"<!-- {command.name} {number.name} after {lasted:.3f} s: {killed.errors[-900:]!r} -->")
        left += bool(leftovers(place))
        damaged += bool(fault_of_store(place))
        following = run(command, place)
        if not any(following.code == done.code and following.outputs == done.outputs for done in expected):
            differing += 1
            print(
                f"<!-- {command.name} {number.name} after {lasted:.3f} s: {following.code} {following.errors!r} -->"
            )
    ends = ", ".join(f"{code} × {count}" for code, count in sorted(codes.items()))
    counts = (most_lines, left, damaged, differing, foreign)
    return [command.name, number.name, str(len(shares)), ends, *map(str, counts)]


def _killed(command: Command, place: Path, number: signal.Signals, pause: float) -> tuple[Done, float]:
    """Start a run, and send a signal after a pause unless it has ended.

    Returns:
        What became of it, and how many seconds it lasted.
    """
    start = perf_counter()
    process = subprocess.Popen(
        command.arguments(place),
        cwd=command.cwd,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        stdout, stderr = process.communicate(timeout=pause)
    except subprocess.TimeoutExpired:
        process.send_signal(number)
        stdout, stderr = process.communicate()
    lasted = perf_counter() - start
    return Done(process.returncode, stderr.decode(errors="replace"), outputs(place, stdout)), lasted

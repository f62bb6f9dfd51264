"""Kill runs at random moments: what they leave, and whether the next run gives what it would have given."""

from __future__ import annotations

import random
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter, sleep

from benchmarks.trials.commands import (
    Command,
    Done,
    environment,
    fault_of_store,
    foreign_line,
    leftovers,
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
        start = perf_counter()
        fresh = run(command, folder / f"{command.name} undisturbed")
        duration = perf_counter() - start
        # A leaderboard that is there already gets one more night.
        again = run(command, folder / f"{command.name} undisturbed")
        for number in SIGNALS:
            yield _row(command, number, folder, [chance.random() * duration for _ in range(moments)], (fresh, again))


def _row(
    command: Command, number: signal.Signals, folder: Path, pauses: list[float], expected: tuple[Done, Done]
) -> list[str]:
    codes: Counter[int] = Counter()
    left = damaged = differing = foreign = most_lines = 0
    for index, pause in enumerate(pauses):
        place = folder / f"{command.name} {number.name} {index}"
        place.mkdir()
        killed = _killed(command, place, number, pause)
        codes[killed.code if killed.code >= 0 else 128 - killed.code] += 1
        most_lines = max(most_lines, sum(1 for line in killed.errors.splitlines() if line.startswith("wqscore:")))
        if foreign_line(killed.errors):
            foreign += 1
            print(f"<!-- {command.name} {number.name} after {pause:.3f} s: {killed.errors[-900:]!r} -->")
        left += bool(leftovers(place))
        damaged += bool(fault_of_store(place))
        following = run(command, place)
        if not any(following.code == done.code and following.outputs == done.outputs for done in expected):
            differing += 1
            print(f"<!-- {command.name} {number.name} after {pause:.3f} s: {following.code} {following.errors!r} -->")
    ends = ", ".join(f"{code} × {count}" for code, count in sorted(codes.items()))
    counts = (most_lines, left, damaged, differing, foreign)
    return [command.name, number.name, str(len(pauses)), ends, *map(str, counts)]


def _killed(command: Command, place: Path, number: signal.Signals, pause: float) -> Done:
    """Start a run, send a signal after a pause, and return what became of it."""
    process = subprocess.Popen(
        command.arguments(place),
        cwd=command.cwd,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    sleep(pause)
    process.send_signal(number)
    stdout, stderr = process.communicate()
    return Done(process.returncode, stderr.decode(errors="replace"), outputs(place, stdout))

"""A file system of 2 MB, filled up to some kilobytes, as output, store and caches. Mounting it needs root."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from safetensors.numpy import save

from benchmarks.trials.commands import Command, Done, foreign_line, leftovers, new_place, run, trained
from tests.hub_server import HubServer

#: Kilobytes that are free.
FREE = (0, 16, 128, 2048)
COLUMNS = ("2 MB as", "command", "free", "exit code", "lines", "first line", "same output", "left over", "foreign")


@dataclass(frozen=True)
class _Trial:
    """What lies on the small disk: a word for it, how the command is changed, and variables that name the disk."""

    name: str
    change: Callable[[Command, Path], Command]
    variables: tuple[str, ...] = ()


def _output(command: Command, disk: Path) -> Command:
    return replace(command, words=tuple(word.replace("{out}", f"{disk}/out") for word in command.words))


def _store(command: Command, disk: Path) -> Command:
    return replace(command, words=tuple(word.replace("{store}", f"{disk}/store.sqlite") for word in command.words))


def _users_store(command: Command, _: Path) -> Command:
    return replace(command, words=tuple(word for word in command.words if word not in ("--store", "{store}")))


def _same(command: Command, _: Path) -> Command:
    return command


TRIALS = (
    _Trial("output", _output),
    _Trial("--store", _store),
    _Trial("the user's store", _users_store, ("XDG_CACHE_HOME",)),
    _Trial("cache of compiled loops", _same, ("NUMBA_CACHE_DIR",)),
    _Trial("TMPDIR", _same, ("TMPDIR",)),
)


def rows(commands: list[Command], folder: Path) -> Iterator[list[str]]:
    """A row of the table for each use of the disk, command and free space; equal outcomes share one."""
    expected = {command.name: run(command, new_place(folder, command.name, "whole")) for command in commands}
    for trial in TRIALS:
        for command in commands:
            last: list[str] = []
            spaces: list[int] = []
            for free in FREE:
                place = new_place(folder, command.name, trial.name, free)
                with small_disk(place / "disk", free) as disk:
                    variables = dict.fromkeys(trial.variables, str(disk))
                    done = run(trial.change(command, disk), place, variables=variables)
                    found = [*_outcome(done, expected[command.name], trial.name), str(len(leftovers(disk)))]
                    found.append(foreign_line(done.errors))
                if spaces and found != last:
                    yield [trial.name, command.name, _span(spaces), *last]
                    spaces = []
                spaces, last = [*spaces, free], found
            yield [trial.name, command.name, _span(spaces), *last]
    yield _download(commands[0], folder)


def _download(command: Command, folder: Path) -> list[str]:
    """Rank a model of 4 MB on a Hub beside one on disk: the Hub's cache has no room for it."""
    weights = {f"layers.{i}.fc1.weight": trained(i, shape=(512, 512)) for i in range(4)}
    changed = replace(command, words=tuple("org/name" if word == "b" else word for word in command.words))
    place = new_place(folder, "download")
    with HubServer() as hub, small_disk(place / "disk", FREE[-1]) as disk:
        hub.add("org/name", {"config.json": b"{}", "model.safetensors": save(weights)})
        done = run(changed, place, variables=hub.environment(disk))
        left = [file.name for file in disk.rglob("*") if file.is_file() and file.stat().st_size > 100_000]
        return [
            "the Hub's cache",
            "rank",
            _span([FREE[-1]]),
            *_outcome(done, None, ""),
            str(len(left)),
            foreign_line(done.errors),
        ]


@contextmanager
def small_disk(place: Path, free: int) -> Iterator[Path]:
    """Mount a file system of 2 MB with some kilobytes free."""
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)], check=True)
    try:
        (place / "filling").write_bytes(bytes((2048 - free) * 1024))
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def _outcome(done: Done, expected: Done | None, trial: str) -> list[str]:
    count = sum(1 for line in done.errors.splitlines() if line.startswith("wqscore:"))
    same = "" if expected is None else "yes" if _shown(done, trial) == _shown(expected, trial) else "no"
    return [str(done.code if done.code >= 0 else 128 - done.code), str(count), done.line, same]


def _shown(done: Done, trial: str) -> dict[str, bytes]:
    """What is compared: the files too, unless they are on the small disk."""
    return {name: content for name, content in done.outputs.items() if trial != "output" or not name}


def _span(values: list[int]) -> str:
    return f"{values[0]} KB" if len(values) == 1 else f"{values[0]} to {values[-1]} KB"

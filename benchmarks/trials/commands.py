"""The commands that are tried, their models, and what an undisturbed run of each gives."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from wqscore.stores.store import Store

MATRICES = 12
#: Every output of a run, by the path of its file; standard output has the name "".
Outputs = Mapping[str, bytes]
#: How the program's own lines on standard error begin; the second kind says where a report is.
_OWN = ("wqscore: ", "report: ")
#: What comes before the name of a file in its absolute path; not the owner of a repository.
_FOLDER = re.compile(r"(?<![\w.-])(/[\w.-]+)*/(?=[\w.-]+)")
#: The names of files that are written before they are renamed.
_TEMPORARY = re.compile(r"\.new|\..+\.[0-9a-f]{16,32}(-journal|-wal|-shm)?")


@dataclass(frozen=True)
class Command:
    """A command of wqscore, and where it writes.

    Attributes:
        name: as the table shows it.
        words: the arguments; `{out}` is a folder or file of its own for each run, `{store}` a store.
        cwd: the folder of the models.
    """

    name: str
    words: tuple[str, ...]
    cwd: Path

    def arguments(self, place: Path) -> list[str]:
        """The command line of a run that writes to a folder."""
        places = {"out": place / "out", "store": place / "store.sqlite"}
        return [sys.executable, "-m", "wqscore", *(word.format(**places) for word in self.words)]


@dataclass(frozen=True)
class Done:
    """A finished run: its exit code, what it printed, and the files that it wrote."""

    code: int
    errors: str
    outputs: Outputs = field(repr=False)

    @property
    def line(self) -> str:
        """The first line of standard error that is the program's, without the folder of the trial."""
        own = [line for line in self.errors.splitlines() if line.startswith("wqscore:")]
        return _FOLDER.sub("", own[0]) if own else ""


def commands(folder: Path) -> list[Command]:
    """Make two models that have half of their matrices in common, and a list of both."""
    for name, own in (("a", 0), ("b", 1)):
        tensors = {f"layers.{i}.fc1.weight": trained(0 if i % 2 else own, i) for i in range(MATRICES)}
        (folder / name).mkdir()
        save_file(tensors, folder / name / "model.safetensors")
        # A file that changed a moment ago is not taken from the store.
        os.utime(folder / name / "model.safetensors", (1.7e9, 1.7e9))
    models = "\n".join(f'[[models]]\nid = "{name}"\nfamily = "toy"\nyear = 2020' for name in "ab")
    (folder / "list.toml").write_text(f'[list]\ntitle = "Trials"\n{models}\n', encoding="utf-8")
    shared = ("--store", "{store}", "--quiet")
    gate = ("gate", "a", "--rule", "alpha>100", "--junit", "{out}", "--format", "json")
    return [
        Command("rank", ("rank", "a", "b", "--out", "{out}", "--format", "json", *shared), folder),
        Command("gate", (*gate, *shared), folder),
        Command("leaderboard build", ("leaderboard", "build", "list.toml", "--out", "{out}", *shared), folder),
    ]


def trained(*seed: int, shape: tuple[int, int] = (320, 240)) -> np.ndarray:
    """A matrix whose spectrum has a power law for a tail, as those of trained layers have."""
    noise = np.random.default_rng(seed).standard_normal(shape)
    return (noise * np.arange(1, shape[1] + 1) ** -0.7).astype("f4")


def environment() -> dict[str, str]:
    """Variables under which two runs give the same bytes."""
    root = Path(__file__).parents[2]
    fixed = {"SOURCE_DATE_EPOCH": "1795305600", "PYTHONPATH": str(root), "OPENBLAS_NUM_THREADS": "1"}
    return {**os.environ, **fixed}


def run(
    command: Command,
    place: Path,
    before: Callable[[], None] | None = None,
    variables: Mapping[str, str] | None = None,
) -> Done:
    """Run a command to its end; `before` runs in its process before Python starts."""
    place.mkdir(exist_ok=True)
    done = subprocess.run(
        command.arguments(place),
        cwd=command.cwd,
        env={**environment(), **(variables or {})},
        capture_output=True,
        preexec_fn=before,
        check=False,
    )
    return Done(done.returncode, done.stderr.decode(errors="replace"), outputs(place, done.stdout))


def outputs(place: Path, stdout: bytes) -> Outputs:
    """What a run printed, without the folder of the trial, and wrote, without temporary files."""
    files = {"": stdout.replace(f"{place}/disk".encode(), b"").replace(str(place).encode(), b"")}
    for file in _files(place / "out"):
        if not _TEMPORARY.fullmatch(file.name):
            files[file.relative_to(place).as_posix()] = file.read_bytes()
    return files


def new_place(folder: Path, *words: object) -> Path:
    """Make the folder of a trial; its name has no spaces, so that `Done.line` can leave it out."""
    place = folder / re.sub(r"\W+", "-", " ".join(map(str, words)))
    place.mkdir()
    return place


def leftovers(place: Path) -> list[str]:
    """Names of the temporary files in a folder."""
    return sorted(file.name for file in _files(place) if _TEMPORARY.fullmatch(file.name))


def _files(place: Path) -> Iterator[Path]:
    if place.is_file():
        yield place
    yield from (file for file in place.rglob("*") if file.is_file())


def foreign_line(errors: str) -> str:
    """The first line of standard error that is not the program's; empty if there is none."""
    return next((line for line in errors.splitlines() if line and not line.startswith(_OWN)), "")[:90]


def fault_of_store(place: Path) -> str:
    """What is wrong with the store of a trial; empty if nothing, or if there is none yet."""
    path = place / "store.sqlite"
    if not path.exists():
        return ""
    with closing(sqlite3.connect(path)) as connection:
        if connection.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
            return "the file is damaged"
    with Store.open(path, writable=False) as store:
        count = sum(1 for _ in store.all_spectra()) + sum(1 for _ in store.all_results())
        return f"{sum(store.damaged.values())} of {count} rows are damaged" if store.damaged else ""

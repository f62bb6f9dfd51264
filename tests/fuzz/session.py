"""One process of fuzzing: a target for some seconds, by mutation alone, then by atheris where it is installed.

Usage: python -m tests.fuzz.session TARGET SECONDS SEED FOLDER. Leaves in FOLDER `tried` (inputs), `current` (the
input it was at, for when the process itself dies) and `findings/NAME` with `findings/NAME.txt` beside.
"""

from __future__ import annotations

import hashlib
import importlib
import math
import os
import random
import resource
import sys
import time
import tracemalloc
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

#: What is measured for coverage, where atheris is there to do it.
_INSTRUMENTED = ["wqscore", "pickletools", "zipfile", "tomllib"]
#: Beyond this a mistake of the parser would end the machine, not the process.
_ADDRESS_SPACE = 2 * 2**30
#: The rest is atheris', which takes to long inputs for their counts of loops and must be kept to short ones.
_SHARE_OF_MUTATION = 0.3
_LONGEST_OF_ATHERIS = 4096
#: Atheris' own time limit, for what runs in C and hears no signal.
_HOPELESS_SECONDS = 60


def main() -> NoReturn:
    """Fuzz until the time is over."""
    name, seconds, seed, folder = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
    warnings.simplefilter("ignore")
    atheris = _atheris()
    session = Session(name, seconds, folder)
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
    tracemalloc.start()
    seeds = session.seeds
    for seed_input in seeds:
        session.one(seed_input)
    rng = random.Random(seed)
    until = time.monotonic() + seconds * _SHARE_OF_MUTATION if atheris else math.inf
    while time.monotonic() < until:
        session.one(session.mutated(rng.choice(seeds), rng))
    assert atheris is not None, "mutation alone ends with the session"
    corpus = folder / "corpus"
    corpus.mkdir(exist_ok=True)
    for number, seed_input in enumerate(seeds):
        (corpus / f"seed-{number}").write_bytes(seed_input)
    options = [
        f"-seed={seed}",
        f"-max_len={max(_LONGEST_OF_ATHERIS, *map(len, seeds))}",
        f"-timeout={_HOPELESS_SECONDS}",
        "-rss_limit_mb=0",
        "-verbosity=0",
    ]
    atheris.Setup(
        ["fuzz", str(corpus), *options, f"-artifact_prefix={folder}/"],
        session.one,
        custom_mutator=_both_mutators(atheris, session),
    )
    atheris.Fuzz()
    raise AssertionError("atheris ends the process itself")


def _atheris() -> ModuleType | None:
    """Atheris, with the modules under test imported under its instruments; `None` where it is not installed."""
    try:
        import atheris
    except ImportError:
        return None
    with atheris.instrument_imports(include=_INSTRUMENTED, enable_loader_override=False):
        importlib.import_module("tests.fuzz.targets")
    found: ModuleType = atheris
    return found


def _both_mutators(atheris: ModuleType, session: Session) -> Callable[[bytes, int, int], bytes]:
    """Libfuzzer's changes and those that know the format, in turn."""

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        rng = random.Random(seed)
        changed: bytes = session.mutated(data, rng) if rng.random() < 0.5 else atheris.Mutate(data, most)
        return changed[:most]

    return mutate


class Session:
    """Counts inputs and keeps one of each kind of finding."""

    def __init__(self, name: str, seconds: float, folder: Path) -> None:
        # Imported here, once atheris has put in its instruments.
        from tests.fuzz import attempt, inputs, mutation, targets

        targets.warm_up()
        self._attempt: Callable[..., Any] = attempt.attempt
        self._mutate = mutation.mutate
        self._target = targets.TARGETS[name]
        self.seeds = inputs.starts(name)
        self._end, self._folder = time.monotonic() + seconds, folder
        self._tried = 0
        self._kinds: set[str] = set()
        for inner in ("findings", "scratch"):
            (folder / inner).mkdir(exist_ok=True)

    def mutated(self, data: bytes, rng: random.Random) -> bytes:
        """A changed input."""
        return self._mutate(data, self._target, self.seeds, rng)

    def one(self, data: bytes) -> None:
        """Try an input; ends the process when the time is over."""
        self._tried += 1
        (self._folder / "current").write_bytes(data)
        finding = self._attempt(self._target, data, self._folder / "scratch")
        if finding is not None and finding.kind not in self._kinds:
            self._kinds.add(finding.kind)
            name = hashlib.sha256(finding.kind.encode()).hexdigest()[:8]
            (self._folder / "findings" / name).write_bytes(data)
            (self._folder / "findings" / f"{name}.txt").write_text(f"{finding.kind}: {finding.detail}")
        if self._tried % 256 == 0 or time.monotonic() > self._end:
            (self._folder / "tried").write_text(str(self._tried))
        if time.monotonic() > self._end:
            (self._folder / "current").unlink()
            os._exit(0)


if __name__ == "__main__":
    main()

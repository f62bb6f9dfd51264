"""One input through one target, within bounds of time and memory."""

from __future__ import annotations

import signal
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from traceback import extract_tb
from types import FrameType

from tests.fuzz.targets import Target
from wqscore.errors import WqscoreError

#: What a parser may take for an input of at most 64 KiB: processor time (while memory is traced, which makes Python
#: some three times as slow), and the peak of what Python and NumPy hold.
MOST_SECONDS = 5.0
MOST_MEMORY = 64 * 2**20
_LONGEST_MESSAGE = 2000


@dataclass(frozen=True)
class Finding:
    """What an input did that it must not.

    Attributes:
        kind: the same for inputs that do the same: what was raised and where.
        detail: for people.
    """

    kind: str
    detail: str


class _TooSlowError(BaseException):
    """No `Exception`, so that nothing under test takes it for its own."""


def attempt(target: Target, data: bytes, scratch: Path, seconds: float = MOST_SECONDS) -> Finding | None:
    """Run a target once.

    Args:
        target: the parser.
        data: its input.
        scratch: an empty folder, or one that the target was run in before: each writes the same names again.
        seconds: processor time allowed.
    """
    tracemalloc.reset_peak()
    before, _ = tracemalloc.get_traced_memory()
    finding = _outcome(target, data, scratch, seconds)
    grown = tracemalloc.get_traced_memory()[1] - before
    if finding is None and grown > MOST_MEMORY:
        return Finding("memory", f"held {grown / 2**20:.0f} MiB for {len(data)} bytes")
    return finding


def _outcome(target: Target, data: bytes, scratch: Path, seconds: float) -> Finding | None:
    try:
        with _limited(seconds):
            target.run(data, scratch)
    except WqscoreError as error:
        text = str(error)
        if len(text) > _LONGEST_MESSAGE or not text.isprintable():
            return Finding(f"message of {_place(error)}", f"{len(text)} characters: {text[:100]!r}")
    except (_TooSlowError, Exception) as error:
        kind = "slow" if isinstance(error, _TooSlowError) else f"{type(error).__name__} in {_place(error)}"
        return Finding(kind, f"{_place(error)}: {error!s:.200}")
    return None


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    def stop(_: int, __: FrameType | None) -> None:
        raise _TooSlowError(f"more than {seconds:g} s of processor time")

    previous = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, previous)


def _place(error: BaseException) -> str:
    """The innermost line of the package that was running."""
    frames = [frame for frame in extract_tb(error.__traceback__) if "/wqscore/" in frame.filename]
    return f"{Path(frames[-1].filename).name}:{frames[-1].name}" if frames else "the target"

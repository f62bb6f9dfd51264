"""The one exception root: every message says what is wrong, where, and what to do next."""

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from wqscore.escaping import printable


class WqscoreError(Exception):
    """Base of every error wqscore raises on purpose; its text is one line for a person, whatever names it holds."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


class UsageError(WqscoreError):
    """What was asked for makes no sense: an unknown metric, preset, list key or reference."""


class CheckpointError(WqscoreError):
    """A checkpoint that can't be found, fetched, read or trusted."""


def nearest(text: str, known: Iterable[str], otherwise: str = "") -> str:
    """What to try in place of an unknown name: the nearest known ones, or `otherwise`, else all of them.

    Example:
        >>> nearest("famly", ["family", "year"]), nearest("q", ["family", "year"])
        ('did you mean family?', 'known are family, year')
    """
    known = tuple(known)
    near = difflib.get_close_matches(text[:100], known, n=3)
    return f"did you mean {', '.join(near)}?" if near else otherwise or f"known are {', '.join(known)}"


@contextmanager
def reading(file: object) -> Iterator[None]:
    """Turn what the disk refuses, while a file of a checkpoint is read, into a `CheckpointError` that names it."""
    try:
        yield
    except OSError as error:
        raise CheckpointError(f"{file}: can't be read: {error.strerror or error}") from error

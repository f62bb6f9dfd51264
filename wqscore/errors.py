"""The exceptions wqscore raises; every message says what is wrong, where, and what to do next."""

import difflib
import errno
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from wqscore.escaping import printable

#: Larger than any file that is not weights; parsing takes several times as much memory.
_MAX_SMALL = 1 << 26
_PIECE = 1 << 16
#: Characters of a message that are kept of its beginning, and of its end, where it says what to do.
_FIRST, _LAST = 1200, 400


class WqscoreError(Exception):
    """Base of every error wqscore raises on purpose.

    The message is one line, with control characters escaped; a long one, of names in a file, is cut in the middle.
    """

    def __init__(self, message: str) -> None:
        text = printable(message)
        super().__init__(text if len(text) <= _FIRST + _LAST else f"{text[:_FIRST]} … {text[-_LAST:]}")


class UsageError(WqscoreError):
    """A request that can't be carried out, such as an unknown metric, preset, list key or reference."""


class MissingExtraError(UsageError, ImportError):
    """A part of the package whose extra is not installed."""


class CheckpointError(WqscoreError):
    """A checkpoint that can't be found, fetched, read or trusted."""


def fault(error: BaseException) -> str:
    r"""One line about an exception that nobody foresaw, of characters that every terminal has.

    Example:
        >>> fault(ValueError("no such\nname"))
        'a fault in wqscore (ValueError: no such name): please report it with the command'
    """
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    return f"a fault in wqscore ({ascii(reason)[1:-1]:.300}): please report it with the command"


def nearest(text: str, known: Iterable[str], fallback: str = "") -> str:
    """Suggest the known names nearest to an unknown one; if none is near, return `fallback` or list all of them.

    Example:
        >>> nearest("famly", ["family", "year"]), nearest("q", ["family", "year"])
        ('did you mean family?', 'known are family, year')
    """
    known = tuple(known)
    near = difflib.get_close_matches(text[:100], known, n=3)
    return f"did you mean {', '.join(near)}?" if near else fallback or f"known are {', '.join(known)}"


@contextmanager
def reading(file: object) -> Iterator[None]:
    """Turn an `OSError` while reading a checkpoint's file into a `CheckpointError` that names the file."""
    try:
        yield
    except OSError as error:
        raise CheckpointError(f"{file}: can't be read: {error.strerror or error}") from error


def read_small(file: Path, most: int = _MAX_SMALL) -> bytes:
    """Read a whole file that holds no weights.

    Opening a named pipe would block for ever, and a sparse file may claim any size.

    Raises:
        OSError: it can't be read, is no regular file, or has more bytes than `most`.
    """
    descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with open(descriptor, "rb") as stream:  # noqa: PTH123
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "is not a regular file", str(file))
        # In pieces, since the system may say 0 of a file that has more, and a buffer of `most` would be made at once.
        data = b"" if found.st_size > most else stream.read(found.st_size + 1)
        while found.st_size < len(data) <= most and (piece := stream.read(_PIECE)):
            data += piece
        if max(len(data), found.st_size) > most:
            raise OSError(errno.EFBIG, f"is larger than {most:,} bytes, as no file of this kind is", str(file))
        return data

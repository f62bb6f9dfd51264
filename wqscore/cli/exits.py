"""Exit codes, and one line on standard error for every error."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

from wqscore.errors import UsageError, WqscoreError
from wqscore.escaping import printable

MISSING = 1
USAGE = 2
NOT_SCORED = 3
INTERRUPTED = 130


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn the package's errors into a line and an exit code, and exit silently when a pipe is closed."""
    try:
        yield
        sys.stdout.flush()
    except UsageError as error:
        print_error(str(error))
        raise typer.Exit(USAGE) from error
    except WqscoreError as error:
        print_error(str(error))
        raise typer.Exit(NOT_SCORED) from error
    except BrokenPipeError as error:
        # The reader closed the pipe, as `head` does: no error.
        _give_up_stdout()
        raise typer.Exit(0) from error
    except OSError as error:
        # Errors of files are WqscoreErrors already; one that is not may be of reading as well as of writing.
        if error.filename is not None:
            print_error(f"{error.filename}: {error.strerror or error}")
        else:
            _give_up_stdout()
            print_error(f"standard output: can't be written: {error.strerror or error}")
        raise typer.Exit(NOT_SCORED) from error
    except KeyboardInterrupt:
        print_error("interrupted")
        leave_interrupted()


def leave_interrupted() -> NoReturn:
    """Exit at once: a normal exit waits for threads inside LAPACK, and may crash or hang."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(INTERRUPTED)


def print_error(message: str) -> None:
    """Write one line to standard error."""
    typer.echo(complaint(message), err=True)


def complaint(message: str) -> str:
    """An error's line, with the program's name and without control characters."""
    return f"wqscore: {printable(message)}"


def _give_up_stdout() -> None:
    """Redirect standard output to the null device, or Python's flush at exit would fail once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
